using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>
/// MiniMax-M1's way to write a conversation as one text. The Jinja text goes beside the checkpoint, for other programs;
/// rendering is done here without an interpreter, for this format alone.
/// </summary>
public sealed class ChatTemplate
{
    /// <summary>Begins every rendered conversation.</summary>
    public const string BeginOfDocument = "<begin_of_document>";

    /// <summary>Begins every turn; followed by who speaks.</summary>
    public const string BeginningOfSentence = "<beginning_of_sentence>";

    /// <summary>Ends every turn; a model that generates it has finished its answer.</summary>
    public const string EndOfSentence = "<end_of_sentence>";

    private const string AnswerHeader = "ai name=assistant\n";

    private const string ToolsHeader = "system tool_setting=tools\nYou are provided with these tools:\n<tools>\n";

    private const string ToolsFooter =
        "</tools>\n\nIf you need to call tools, please respond with <tool_calls></tool_calls> XML tags, "
        + "and provide tool-name and json-object of arguments, following the format below:\n"
        + "<tool_calls>\n{name: <tool-name-1>, arguments: <args-json-object-1>}\n...\n</tool_calls>";

    /// <summary>SHA-256 of the template that MiniMax published with M1; it renders what ours does.</summary>
    private const string PublishedHash = "11fc33a57630c6e71a2231641db07c724208f4cc7611659c419c027c3fb3cf18";

    private static readonly string s_jinja = $$$"""
        {%- macro first(content) -%}
        {{- content if content is string else content[0]['text'] -}}
        {%- endmacro -%}
        {%- macro turn(header, body) -%}
        {{- '{{{BeginningOfSentence}}}' + header + '\n' + body + '{{{EndOfSentence}}}\n' -}}
        {%- endmacro -%}
        {{- '{{{BeginOfDocument}}}' -}}
        {%- set state = namespace(system='') -%}
        {%- for message in messages -%}
        {%- if message['role'] == 'system' -%}
        {%- set state.system = state.system + first(message['content']) -%}
        {%- endif -%}
        {%- endfor -%}
        {%- if state.system -%}
        {{- turn('system ai_setting=assistant', state.system) -}}
        {%- endif -%}
        {%- if tools -%}
        {{- '{{{BeginningOfSentence + Escaped(ToolsHeader)}}}' -}}
        {%- for tool in tools -%}
        {{- (tool | tojson) + '\n' -}}
        {%- endfor -%}
        {{- '{{{Escaped(ToolsFooter) + EndOfSentence}}}\n' -}}
        {%- endif -%}
        {%- for message in messages -%}
        {%- set content = message['content'] -%}
        {%- set state.body = '' -%}
        {%- if message['role'] == 'user' -%}
        {{- turn('user name=user', first(content)) -}}
        {%- elif message['role'] == 'assistant' -%}
        {%- if content is string -%}
        {%- set state.body = content -%}
        {%- else -%}
        {%- for part in content -%}
        {%- if part['type'] == 'text' -%}
        {%- set state.body = state.body + part['text'] -%}
        {%- endif -%}
        {%- endfor -%}
        {%- endif -%}
        {{- turn('ai name=assistant', state.body) -}}
        {%- elif message['role'] == 'tool' -%}
        {%- for part in content -%}
        {%- set state.body = state.body + 'tool name: ' + part['name'] + '\ntool result: ' + part['text'] + '\n\n' -%}
        {%- endfor -%}
        {{- turn('tool name=tools', state.body) -}}
        {%- endif -%}
        {%- endfor -%}
        {%- if add_generation_prompt -%}
        {{- '{{{BeginningOfSentence + Escaped(AnswerHeader)}}}' -}}
        {%- endif -%}
        """;

    private readonly bool _isMiniMaxM1;

    internal ChatTemplate(string jinja)
    {
        Jinja = jinja;
        _isMiniMaxM1 = jinja == s_jinja || Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(jinja))) == PublishedHash;
    }

    /// <summary>M1's format in a Jinja text of our own, which also takes a plain string as a message's content.</summary>
    public static ChatTemplate MiniMaxM1 { get; } = new(s_jinja);

    /// <summary>The template as tokenizer_config.json carries it.</summary>
    public string Jinja { get; }

    /// <summary>Reads chat_template.jinja, or else the template in tokenizer_config.json; M1's where there is neither.</summary>
    /// <param name="directory">The folder of a checkpoint; the tokenizer's other files need not be there.</param>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="InvalidDataException">tokenizer_config.json is malformed.</exception>
    public static ChatTemplate Load(string directory) =>
        !Directory.Exists(directory) ? throw new DirectoryNotFoundException($"There is no folder '{directory}'.")
        : Tokenizer.ReadConfiguration(directory).ChatTemplate is { } jinja ? new ChatTemplate(jinja)
        : MiniMaxM1;

    /// <summary>
    /// The conversation as one text: all system messages joined in front, then the tools, then the turns. Of a system's
    /// or user's message the first part counts, of an assistant's those of kind text, of a tool's all.
    /// </summary>
    /// <param name="messages">The conversation so far.</param>
    /// <param name="tools">What describes each tool, as JSON; none by default.</param>
    /// <param name="addGenerationPrompt">Whether to open the assistant's next turn.</param>
    /// <exception cref="ArgumentException">A role is unknown, or a part that the format needs is missing.</exception>
    /// <exception cref="NotSupportedException">The template is not M1's.</exception>
    public string Render(
        IReadOnlyList<ChatMessage> messages, IReadOnlyList<JsonElement>? tools = null, bool addGenerationPrompt = false)
    {
        if (!_isMiniMaxM1)
        {
            throw new NotSupportedException("Only MiniMax-M1's chat template can be rendered; the checkpoint brings another one.");
        }

        var result = new StringBuilder(BeginOfDocument);
        var system = string.Concat(messages.Where(message => message.Role == "system").Select(FirstText));
        if (system.Length > 0)
        {
            AppendTurn(result, "system ai_setting=assistant\n", system);
        }

        if (tools is { Count: > 0 })
        {
            AppendTurn(result, ToolsHeader, string.Concat(tools.Select(tool => TemplateJson.Write(tool) + "\n")) + ToolsFooter);
        }

        foreach (var message in messages)
        {
            AppendMessage(result, message);
        }

        return (addGenerationPrompt ? result.Append(BeginningOfSentence).Append(AnswerHeader) : result).ToString();
    }

    private static void AppendMessage(StringBuilder result, ChatMessage message)
    {
        switch (message.Role)
        {
            case "system":
                break;
            case "user":
                AppendTurn(result, "user name=user\n", FirstText(message));
                break;
            case "assistant":
                AppendTurn(result, AnswerHeader, string.Concat(message.Content.Where(part => part.Type == "text").Select(part => part.Text)));
                break;
            case "tool":
                AppendTurn(result, "tool name=tools\n", string.Concat(message.Content.Select(ToolResult)));
                break;
            default:
                throw new ArgumentException($"The role '{message.Role}' is none of system, user, assistant and tool.", nameof(message));
        }
    }

    private static void AppendTurn(StringBuilder result, string header, string body) =>
        result.Append(BeginningOfSentence).Append(header).Append(body).Append(EndOfSentence).Append('\n');

    private static string FirstText(ChatMessage message) =>
        message.Content is [{ Text: { } text }, ..]
            ? text
            : throw new ArgumentException($"The message of role '{message.Role}' does not begin with a text.", nameof(message));

    private static string ToolResult(ChatContent part) =>
        part is { Name: { } name, Text: { } text }
            ? $"tool name: {name}\ntool result: {text}\n\n"
            : throw new ArgumentException("A tool's result needs the tool's name and a text.", nameof(part));

    private static string Escaped(string text) => text.Replace("\n", "\\n");
}
