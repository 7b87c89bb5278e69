using MiniMaxSharp;
using MiniMaxSharp.Generation;
using MiniMaxSharp.Models;
using MiniMaxSharp.Tokenization;
using MiniMaxSharp.Training;

// A reward of one's own: a tiny model learns to say words that begin with the letter it is asked for. A minute at most.
// dotnet run -c Release --project samples/CustomReward [FOLDER]
string folder = args.Length > 0 ? args[0] : "runs/custom-reward";
Directory.CreateDirectory(folder);
string[] words = ["ant", "apple", "arrow", "bird", "book", "bread", "cat", "coin", "cup", "desk", "dog", "door"];
const string Letters = "abcd";
Tokenizer tokenizer = BpeTrainer.Train(
    Enumerable.Repeat($"letter {string.Join(' ', Letters.ToCharArray())} {string.Join(' ', words)}", 9), new BpeTrainerOptions { VocabularySize = 400, Pattern = @" ?\S+|\s+" });
int end = tokenizer.EosTokenId!.Value;

using Device device = Device.Cpu();
using var model = MiniMaxForCausalLM.Create(Tiny(), device, seed: 1);
using var optimizer = new AdamW(model.Parameters);

// First the model learns to talk: four words, and one time in four words to the point.
var random = new SplitMix64(1);
var teacher = new SupervisedTrainer(model, optimizer, new SupervisedOptions { LearningRate = new LearningRateSchedule(3e-3f, 200) });
for (int step = 0; step < 200; step++)
{
    teacher.Step([.. Enumerable.Range(0, 32).Select(_ => Demonstration())], step);
}

// Then it learns what the reward asks for.
var trainer = new PolicyTrainer(model, optimizer, tokens => tokenizer.Decode(tokens, skipSpecialTokens: true), new BeginsWith(), new PolicyOptions
{
    LearningRate = new LearningRateSchedule(1e-3f, 40),
    Generation = new GenerationOptions { MaxNewTokens = 8, StopTokens = [end] },
});
const int Steps = 40;
await LiveConsole.RunAsync(async console =>
{
    using var log = new MetricsLog(Path.Combine(folder, RunLog.MetricsFile));
    using var examples = new ExampleLog(Path.Combine(folder, RunLog.ExamplesFile));
    for (int step = 0; step < Steps; step++)
    {
        PolicyStep done = await trainer.StepAsync(_ => [.. Enumerable.Range(0, 16).Select(i => Ask(Letters[i % 4]))], step, seed: (ulong)step);
        TrainingMetrics metrics = TrainingMetrics.Of(done);
        log.Write("cispo", step, metrics);
        console.Show("cispo", step + 1, Steps, metrics);
        if (step % 10 == 9 || step == 0)
        {
            examples.Write("cispo", step, SampleAnswer.Of(done.Rollouts, tokens => tokenizer.Decode(tokens)));
        }
    }

    string report = Path.Combine(folder, "report.html");
    new HtmlReport("A reward of one's own").Runs(RunLog.Load([folder])).Save(report);
    console.Say($"Report: {report}");
    return 0;
});

// The letter travels with the prompt, for the reward to see.
RolloutPrompt Ask(char letter) => new(tokenizer.Encode($"letter {letter}"), letter);

TrainingSequence Demonstration()
{
    char letter = Letters[random.Below(4)];
    string[] choice = random.Below(4) == 0 ? [.. words.Where(w => w[0] == letter)] : words;
    int[] prompt = Ask(letter).Tokens;
    string four = string.Concat(Enumerable.Range(0, 4).Select(_ => $" {choice[random.Below(choice.Length)]}"));
    return new TrainingSequence([.. prompt, .. tokenizer.Encode(four), end], prompt.Length);
}

MiniMaxConfig Tiny() => new()
{
    HiddenSize = 64,
    NumHiddenLayers = 2,
    AttnTypeList = [0, 1],
    NumAttentionHeads = 4,
    NumKeyValueHeads = 2,
    HeadDim = 16,
    RotaryDim = 8,
    MaxPositionEmbeddings = 64,
    IntermediateSize = 64,
    NumLocalExperts = 4,
    NumExpertsPerTok = 2,
    Postnorm = true,
    InitializerRange = 0.05,
    VocabSize = tokenizer.VocabularySize,
    EosTokenIds = [end],
};
