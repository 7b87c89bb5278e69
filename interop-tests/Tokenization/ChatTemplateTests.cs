using System.Text.Json;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class ChatTemplateTests
{
    public static TheoryData<int> Chats => [.. Enumerable.Range(0, Goldens.Read("chats.json").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Chats))]
    public void TheTextIsTheOracles(int index)
    {
        var chat = Goldens.Read("chats.json")[index];
        var messages = chat.GetProperty("messages").EnumerateArray().Select(ReadMessage).ToList();
        JsonElement[]? tools = chat.TryGetProperty("tools", out var listed) ? [.. listed.EnumerateArray()] : null;
        var prompt = chat.TryGetProperty("add_generation_prompt", out var wanted) && wanted.GetBoolean();
        Assert.Equal(JsonText.Of(chat.GetProperty("rendered")), ChatTemplate.MiniMaxM1.Render(messages, tools, prompt));
    }

    [Fact]
    public void AMessageMayBeAPlainText() => Assert.Equal(
        "<begin_of_document><beginning_of_sentence>user name=user\nhi<end_of_sentence>\n<beginning_of_sentence>ai name=assistant\n",
        ChatTemplate.MiniMaxM1.Render([new("user", "hi")], addGenerationPrompt: true));

    [Fact]
    public void WhatTheFormatCannotSayIsRefused()
    {
        Assert.Contains("'developer'", Refused(new("developer", "x")));
        Assert.Contains("'user'", Refused(new("user", [])));
        Assert.Contains("'system'", Refused(new("system", [new ChatContent(null)])));
        Assert.Contains("tool", Refused(new("tool", [new ChatContent("3")])));

        static string Refused(ChatMessage message) =>
            Assert.Throws<ArgumentException>(() => ChatTemplate.MiniMaxM1.Render([message])).Message;
    }

    [Fact]
    public void AnotherTemplateIsKeptButNotRendered()
    {
        var tokenizer = Goldens.Load(("tokenizer.json", Goldens.TokenizerJson), ("tokenizer_config.json", """{"chat_template": "{{ x }}"}"""));
        Assert.Equal("{{ x }}", tokenizer.ChatTemplate!.Jinja);
        Assert.Throws<NotSupportedException>(() => tokenizer.ChatTemplate.Render([]));
    }

    private static ChatMessage ReadMessage(JsonElement message) =>
        new(message.GetProperty("role").GetString()!, [.. message.GetProperty("content").EnumerateArray().Select(ReadContent)]);

    private static ChatContent ReadContent(JsonElement part) => new(JsonText.Of(part.GetProperty("text")))
    {
        Type = part.TryGetProperty("type", out var type) ? type.GetString()! : "",
        Name = part.TryGetProperty("name", out var name) ? name.GetString() : null,
    };
}
