using System.Text.RegularExpressions;
using MiniMaxSharp.Checkpoints;
using MiniMaxSharp.Cli;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Ops;
using MiniMaxSharp.Tests.Checkpoints;
using MiniMaxSharp.Tests.Support;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Tests.Cli;

/// <summary>The tool as its users have it: arguments in; exit code, files, standard output and standard error out.</summary>
public sealed partial class CommandTests : IDisposable
{
    // All bytes, three special tokens, and the merges of the tokenizer's text.
    private const int Vocabulary = 261;

    private static readonly MiniMaxConfig s_config =
        TinyModels.Config() with { VocabSize = Vocabulary, OutputRouterLogits = true, RouterAuxLossCoef = 0.1, InitializerRange = 0.1 };

    private readonly TemporaryFolder _folder = new();
    private readonly Device _device = Device.Cpu();

    public void Dispose()
    {
        _device.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Forward_gives_what_the_model_gives_each_row_alone(bool floatMask)
    {
        // A whole row, one that is all padding, and one that is padded from the left.
        long[] ids = [5, 6, 7, 8, 1, 1, 1, 1, 0, 0, 9, 260], labels = [5, 6, -100, 8, 1, 1, 1, 1, 0, 0, 9, 17];
        int[] mask = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1];
        using MiniMaxForCausalLM model = Model(s_config);
        WriteInput(
            ("input_ids", Longs(ids, 3, 4)),
            ("labels", Longs(labels, 3, 4)),
            ("attention_mask", floatMask ? Tensor.From<float>(_device, Array.ConvertAll(mask, m => (float)m), 3, 4) : Tensor.From<int>(_device, mask, 3, 4)));
        Assert.Equal(0, Forward("--gradients").Code);

        using TensorScope scope = _device.Scope();
        using Tape tape = Tape.Record(_device);
        Layers.ForwardPass pass = model.Pass(PackedBatch.Create(_device, [new[] { 5, 6, 7, 8 }, new[] { 9, 260 }]));
        Tensor hidden = model.Forward(pass);
        (Tensor logp, _) = model.LogProbabilities(hidden, Tensor.From<int>(_device, [6, -100, 8, -100, 17, -100], 6));
        Tensor auxiliary = MixtureOfExperts.AuxiliaryLoss(pass.RouterLogits, s_config.NumExpertsPerTok);
        tape.Backward((logp, Tensor.From<float>(_device, [.. Enumerable.Repeat(-1f / 3, 6)], 6)), (auxiliary, Tensor.From<float>(_device, [0.1f], 1)));
        float[] logits = model.Logits(hidden).ToFloats(), none = new float[Vocabulary];

        using SafetensorsFile result = SafetensorsFile.Open(_folder["out.safetensors"]);
        Assert.Equal([3, 4, Vocabulary], result.Info("logits").Shape);
        Assert.Equal(
            [.. logits[..(4 * Vocabulary)], .. Enumerable.Repeat(none, 6).SelectMany(x => x), .. logits[(4 * Vocabulary)..]],
            result.ReadAsFloat("logits"));
        Assert.Equal((-logp.ToFloats().Sum() / 3) + (0.1f * auxiliary.Item()), result.ReadAsFloat("loss").Single(), 1e-5f);
        Assert.Equal(
            s_config.Parameters().Select(p => "grad." + p.Name).Order(StringComparer.Ordinal),
            result.Tensors.Keys.Where(n => n.StartsWith("grad.", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        foreach ((string name, Tensor gradient) in model.Parameters.SelectMany(p => p.Gradients()))
        {
            Assert.Equal(gradient.ToFloats(), result.ReadAsFloat("grad." + name));
        }
    }

    [Fact]
    public void Forward_over_no_label_has_no_loss_but_logits()
    {
        Model(s_config).Dispose();
        WriteInput(("input_ids", Longs([1, 2, 3], 1, 3)), ("labels", Longs([-100, -100, -100], 1, 3)));
        Assert.Equal(0, Forward().Code);
        using SafetensorsFile result = SafetensorsFile.Open(_folder["out.safetensors"]);
        Assert.Equal(["logits", "loss"], result.Tensors.Keys.Order());
        Assert.True(float.IsNaN(result.ReadAsFloat("loss").Single()));
        Assert.All(result.ReadAsFloat("logits"), x => Assert.True(float.IsFinite(x)));
    }

    [Theory]
    [InlineData("an id", "input_ids holds 261 at 2")]
    [InlineData("a negative id", "input_ids holds -1 at 0")]
    [InlineData("ids of one dimension", "input_ids")]
    [InlineData("no ids", "input_ids")]
    [InlineData("ids that are not integers", "input_ids")]
    [InlineData("a label", "labels holds 261 at 1")]
    [InlineData("labels of another shape", "labels is [1, 2]")]
    [InlineData("a mask of another shape", "attention_mask is [3]")]
    [InlineData("nothing but padding", "attention_mask")]
    public void Forward_refuses_by_file_and_tensor_and_writes_nothing(string what, string named)
    {
        Model(s_config).Dispose();
        Tensor ids = Longs([1, 2, 3], 1, 3);
        WriteInput(what switch
        {
            "an id" => [("input_ids", Longs([1, 2, 261], 1, 3))],
            "a negative id" => [("input_ids", Longs([-1, 2, 3], 1, 3))],
            "ids of one dimension" => [("input_ids", Longs([1, 2, 3], 3))],
            "no ids" => [("labels", ids)],
            "ids that are not integers" => [("input_ids", Tensor.From<float>(_device, [1, 2, 3], 1, 3))],
            "a label" => [("input_ids", ids), ("labels", Longs([1, 261, 3], 1, 3))],
            "labels of another shape" => [("input_ids", ids), ("labels", Longs([1, 2], 1, 2))],
            "a mask of another shape" => [("input_ids", ids), ("attention_mask", Longs([1, 1, 1], 3))],
            _ => [("input_ids", ids), ("attention_mask", Longs([0, 0, 0], 1, 3))],
        });
        (int code, _, string errors) = Forward();
        Assert.Equal(2, code);
        Assert.Contains(_folder["in.safetensors"], errors, StringComparison.Ordinal);
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.Equal(["in.safetensors", "model"], Directory.GetFileSystemEntries(_folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Generate_gives_the_ids_of_a_direct_call_and_the_configurations_end_stops_it()
    {
        int[] prompt = [3, 1, 4];
        var options = new GenerationOptions { MaxNewTokens = 12, Temperature = 0.8f, TopP = 0.9f };
        Completion expected, cut;
        using (MiniMaxForCausalLM model = Model(s_config))
        {
            expected = new TextGenerator(model).Generate([new GenerationRequest(prompt, 7)], options)[0][0];
        }

        string[] arguments = ["generate", "--model", _folder["model"], "--ids", "3, 1,4", "--max-new-tokens", "12", "--temperature", "0.8", "--top-p", "0.9", "--seed", "7", "--output", _folder["ids.safetensors"]];
        Assert.Equal((0, string.Join(',', expected.Tokens) + Environment.NewLine, ""), Run(arguments));
        using (SafetensorsFile file = SafetensorsFile.Open(_folder["ids.safetensors"]))
        {
            Assert.Equal([3L, 1, 4], file.ReadAsInt64("prompt_ids"));
            Assert.Equal(expected.Tokens.Select(t => (long)t), file.ReadAsInt64("new_ids"));
            Assert.Equal(expected.LogProbabilities, file.ReadAsFloat("logp"));
        }

        int end = expected.Tokens[5];
        using (MiniMaxForCausalLM model = Model(s_config with { EosTokenIds = [259, end] }))
        {
            cut = new TextGenerator(model).Generate([new GenerationRequest(prompt, 7)], options with { StopTokens = [259, end] })[0][0];
        }

        Assert.InRange(cut.Tokens.Length, 1, 6);
        Assert.Equal(string.Join(',', cut.Tokens), Run(arguments).Output.Trim());
    }

    [Fact]
    public void Generate_writes_the_text_of_an_answer()
    {
        using MiniMaxForCausalLM model = Model(s_config, tokenizer: true);
        Tokenizer tokenizer = Tokenizer.Load(_folder["model"]);
        int[] prompt = tokenizer.Encode(tokenizer.ChatTemplate!.Render([new ChatMessage("user", "a b")], addGenerationPrompt: true));
        Completion expected = new TextGenerator(model, tokenizer).Generate(
            [new GenerationRequest(prompt)], new GenerationOptions { MaxNewTokens = 9, Temperature = 0, StopTokens = [tokenizer.EosTokenId!.Value] })[0][0];
        (int code, string output, _) = Run("generate", "--model", _folder["model"], "--prompt", "a b", "--greedy", "--max-new-tokens", "9");
        Assert.Equal(0, code);
        Assert.Equal(tokenizer.Decode(expected.Tokens, skipSpecialTokens: true), output[..^Environment.NewLine.Length]);
    }

    [Theory]
    [InlineData("--prompt", "tokenizer.json", "--prompt", "a")]
    [InlineData("neither", "--ids or --prompt")]
    [InlineData("both", "--ids or --prompt", "--prompt", "a", "--ids", "1")]
    [InlineData("an id outside", "261", "--ids", "1,261")]
    [InlineData("no number", "'x' is not a token id", "--ids", "1,x")]
    [InlineData("no id", "empty", "--ids", ",")]
    [InlineData("top-p", "TopP", "--ids", "1", "--top-p", "1.5")]
    public void Generate_refuses_what_it_cannot_do(string what, string named, params string[] arguments)
    {
        Model(s_config).Dispose();
        (int code, string output, string errors) = Run(["generate", "--model", _folder["model"], .. arguments]);
        Assert.True(code == 2, what);
        Assert.Empty(output);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Doctor_finds_nothing_wrong()
    {
        (int code, string output, string errors) = Run("doctor");
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains("libminimax", output, StringComparison.Ordinal);
        Assert.Contains(": passed", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("juggle", "juggle")]
    [InlineData("--colour", "doctor", "--colour")]
    [InlineData("--model", "generate")]
    [InlineData("--max-new-tokens", "generate", "--model", "m", "--max-new-tokens", "few")]
    [InlineData("nowhere", "generate", "--model", "nowhere", "--ids", "1")]
    [InlineData("nowhere", "check", "--goldens", "nowhere")]
    [InlineData("nowhere.json", "train", "sft", "--config", "nowhere.json")]
    public void What_is_not_understood_or_not_there_is_named(string named, params string[] arguments)
    {
        (int code, _, string errors) = Run(arguments);
        Assert.Equal(2, code);
        Assert.Contains(named, errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("minimax generate --model runs/seed-0/checkpoint", "--help")]
    [InlineData("Exit codes: 0 done", "-h")]
    [InlineData("Example: {\"model\"", "train", "sft", "--help")]
    [InlineData("max_importance_weight (5)", "train", "cispo", "--help")]
    [InlineData("--top-p", "generate", "--help")]
    public void Help_holds_examples_and_defaults(string text, params string[] arguments)
    {
        (int code, string output, string errors) = Run(arguments);
        Assert.Equal((0, ""), (code, errors));
        Assert.Contains(text, Spaces().Replace(output, " "), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("moe.safetensors")]
    [InlineData("moe.json")]
    public void A_damaged_family_fails_and_the_others_are_still_checked(string damaged)
    {
        string kernels = Directory.CreateDirectory(_folder["kernels"]).FullName;
        foreach (string file in new[] { "lightning", "moe", "rope" }.SelectMany(f => new[] { f + ".json", f + ".safetensors" }))
        {
            byte[] bytes = File.ReadAllBytes(Repository.Path("interop-tests", "goldens", "kernels", file));
            File.WriteAllBytes(Path.Combine(kernels, file), file == damaged ? bytes[..(bytes.Length / 2)] : bytes);
        }

        (int code, string output, _) = Run("check", "--goldens", _folder.Root);
        Assert.Equal(1, code);
        Assert.Equal(1, output.Split('\n').Count(l => l.StartsWith("FAIL", StringComparison.Ordinal)));
        Assert.Contains("FAIL moe all: could not be read", output, StringComparison.Ordinal);
        Assert.Contains("\nlightning: ", output, StringComparison.Ordinal);
        Assert.Contains("\nrope: ", output, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Errors) Run(params string[] arguments)
    {
        var output = new StringWriter();
        var errors = new StringWriter();
        int code = Commands.Run(arguments, output, errors);
        return (code, output.ToString(), errors.ToString());
    }

    private (int Code, string Output, string Errors) Forward(params string[] more) =>
        Run(["forward", "--model", _folder["model"], "--input", _folder["in.safetensors"], "--output", _folder["out.safetensors"], .. more]);

    private MiniMaxForCausalLM Model(MiniMaxConfig config, bool tokenizer = false)
    {
        MiniMaxForCausalLM model = MiniMaxForCausalLM.Create(config, _device, 1);
        model.Save(_folder["model"]);
        if (tokenizer)
        {
            Tokenizer trained = BpeTrainer.Train(["a b c"], new BpeTrainerOptions { VocabularySize = 300 });
            Assert.Equal(Vocabulary, trained.VocabularySize);
            trained.Save(_folder["model"]);
        }

        return model;
    }

    private void WriteInput(params (string Name, Tensor Value)[] tensors) => SafetensorsWriter.Write(_folder["in.safetensors"], tensors);

    private Tensor Longs(long[] values, params ReadOnlySpan<long> shape) => Tensor.From<long>(_device, values, shape);

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
