using System.Text.Json;

namespace MiniMaxSharp.Tokenization;

/// <summary>tokenizer_config.json: the tokens with a role, the chat template, and whatever else stands there, kept.</summary>
internal sealed record TokenizerConfiguration
{
    private static readonly string[] s_roles =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private const string TemplateName = "chat_template";

    /// <summary>Every property but the roles and the chat template.</summary>
    public IReadOnlyList<(string Name, JsonElement Value)> Other { get; init; } = [];

    /// <summary>Tokens by role, such as bos_token, as they stand in the file: a string or an object with content.</summary>
    public IReadOnlyDictionary<string, string> Roles { get; init; } = new Dictionary<string, string>();

    /// <summary>Tokens without a role of their own that are special too.</summary>
    public IReadOnlyList<string> AdditionalSpecialTokens { get; init; } = [];

    /// <summary>Added tokens with their ids, as files without tokenizer.json list them here.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public bool AddPrefixSpace { get; init; }

    public string? ChatTemplate { get; init; }

    public string? Role(string name) => Roles.GetValueOrDefault(name);

    public static TokenizerConfiguration Read(string file)
    {
        var root = JsonCursor.Read(file);
        var roles = new Dictionary<string, string>();
        foreach (var name in s_roles)
        {
            if (root.TryGet(name, out var value))
            {
                roles[name] = TokenContent(value);
            }
        }

        return new TokenizerConfiguration
        {
            Other = [.. root.Properties().Where(entry => entry.Name != TemplateName && !s_roles.Contains(entry.Name))
                .Select(entry => (entry.Name, entry.Value.Element))],
            Roles = roles,
            AdditionalSpecialTokens = root.TryGet("additional_special_tokens", out var additional)
                ? [.. additional.Items().Select(TokenContent)]
                : [],
            AddedTokens = root.TryGet("added_tokens_decoder", out var added) ? [.. added.Properties().Select(ReadAdded)] : [],
            AddPrefixSpace = root.GetBool("add_prefix_space", false),
            ChatTemplate = root.TryGet(TemplateName, out var template) ? ReadTemplate(template) : null,
        };
    }

    public void Write(string file)
    {
        using var stream = File.Create(file);
        using var json = new Utf8JsonWriter(stream, TokenizerJsonWriter.Options);
        json.WriteStartObject();
        foreach (var (name, value) in Other)
        {
            json.WritePropertyName(name);
            value.WriteTo(json);
        }

        foreach (var (name, content) in Roles)
        {
            json.WriteString(name, content);
        }

        if (ChatTemplate is not null)
        {
            json.WriteString(TemplateName, ChatTemplate);
        }

        json.WriteEndObject();
    }

    private static string TokenContent(JsonCursor token) => token.IsString ? token.String() : token.Get("content").String();

    private static AddedToken ReadAdded((string Name, JsonCursor Value) entry) =>
        int.TryParse(entry.Name, System.Globalization.NumberStyles.None, null, out var id)
            ? TokenizerJsonReader.ReadAddedToken(entry.Value, id, special: false)
            : throw entry.Value.Error($"'{entry.Name}' is not an id");

    /// <summary>One template, or a list of named ones of which "default" counts.</summary>
    private static string ReadTemplate(JsonCursor template)
    {
        if (!template.IsArray)
        {
            return template.String();
        }

        var standard = template.Items().Where(item => item.Get("name").String() == "default").ToList();
        return standard.Count == 1
            ? standard[0].Get("template").String()
            : throw template.Error("exactly one template must be named 'default'");
    }
}
