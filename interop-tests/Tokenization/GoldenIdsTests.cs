using System.Text.Json;
using System.Text.Json.Nodes;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Tokenization;

public class GoldenIdsTests
{
    public static TheoryData<int, string> Variants()
    {
        var data = new TheoryData<int, string>();
        var golden = Goldens.Read("ids.json");
        for (var i = 1; i < golden.GetArrayLength(); i++)
        {
            data.Add(i, golden[i].GetProperty("name").GetString()!);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void IdsAreTheOracles(int variant, string name)
    {
        var golden = Goldens.Read("ids.json");
        var tokenizer = Goldens.Changed(root => Apply(golden[variant].GetProperty("change"), root));
        var texts = golden[0].EnumerateArray().Select(Goldens.Text).ToList();
        var expected = golden[variant].GetProperty("ids").EnumerateArray().ToList();
        Assert.True(texts.Count > 100, name);
        for (var i = 0; i < texts.Count; i++)
        {
            var ids = expected[i].EnumerateArray().Select(id => id.GetInt32());
            Assert.Equal((i, string.Join(' ', ids)), (i, string.Join(' ', tokenizer.Encode(texts[i]))));
        }
    }

    [Fact]
    public void NormalizationFormCIsTheOracles()
    {
        foreach (var pair in Goldens.Read("nfc.json").EnumerateArray())
        {
            Assert.Equal(Goldens.Text(pair[1]), CanonicalComposition.Apply(Goldens.Text(pair[0])).ToString());
        }
    }

    /// <summary>Objects are merged with what is there, anything else replaces it.</summary>
    private static void Apply(JsonElement change, JsonObject root)
    {
        foreach (var property in change.EnumerateObject())
        {
            if (property.Name == "model")
            {
                Apply(property.Value, root["model"]!.AsObject());
            }
            else
            {
                root[property.Name] = JsonNode.Parse(property.Value.GetRawText());
            }
        }
    }
}
