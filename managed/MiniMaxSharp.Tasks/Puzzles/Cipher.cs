using System.Text;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// cipher of SynLogic (arXiv 2505.19641): write a text in a classical cipher, or read it, with the key told.
/// Difficulty sets the length of the text (5 to 45 letters and the rest of a word) and which of the ten ciphers occur. The
/// answer is the exact text; white space in it and the case of letters do not matter.
/// </summary>
public sealed class Cipher : ReasoningTask<Cipher.Message>
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const string Square = "ABCDEFGHIKLMNOPQRSTUVWXYZ"; // Polybius' square has no J
    private const int Longest = 400;

    private static readonly string[] Vocabulary =
    [
        "AMBER", "BRIDGE", "CASTLE", "DRAGON", "EAGLE", "FOREST", "GARDEN", "HARBOR", "ISLAND", "KITCHEN", "LANTERN", "MEADOW",
        "NORTH", "ORCHARD", "PALACE", "QUARRY", "RIVER", "SILVER", "TEMPLE", "URCHIN", "VALLEY", "WINTER", "YELLOW", "ZEBRA",
        "BREAD", "CLOCK", "DANCE", "EMPTY", "FLAME", "GRAPE", "HONEY", "IVORY", "KNIFE", "LEMON", "MUSIC", "NIGHT", "OCEAN",
        "PIANO", "QUIET", "ROBIN", "STONE", "TIGER", "UNCLE", "VIOLET", "WHALE", "YACHT", "BOX", "CUP", "DOG", "FOX", "HEN", "SKY",
    ];

    /// <summary>A cipher: how keys are drawn and checked, and what it does. The last three take the key.</summary>
    private sealed record Method(
        string Name, Func<Rng, string> Draw, Func<string, bool> IsKey, Func<string, string, bool, string> Apply, Func<string, string> English, Func<string, string> Chinese);

    private static readonly Method[] Methods =
    [
        new("caesar", rng => $"{rng.Between(1, 25)}", key => IsNumber(key, 1, 25), (text, key, decrypt) => Shift(text, _ => int.Parse(key), decrypt),
            key => $"Caesar's cipher: each letter becomes the one {key} places after it in the alphabet (after Z comes A)",
            key => $"凯撒密码：每个字母换成字母表中其后第 {key} 个字母（Z 之后回到 A）"),
        new("atbash", _ => "-", key => key == "-", (text, _, _) => string.Concat(text.Select(c => Alphabet[^(Alphabet.IndexOf(c) + 1)])),
            _ => "Atbash: A becomes Z, B becomes Y, and so on to Z, which becomes A",
            _ => "阿特巴希密码：A 换成 Z，B 换成 Y，依此类推，Z 换成 A"),
        new("rail_fence", rng => $"{rng.Between(2, 4)}", key => IsNumber(key, 2, 9), RailFence,
            key => $"the rail fence with {key} rails: the letters are written in a zigzag over {key} rows, starting at the top and going down, and then read row by row",
            key => $"栅栏密码，{key} 栏：从最上一行开始向下，沿之字形把字母写在 {key} 行上，再逐行读出"),
        new("affine", rng => $"{rng.Pick(Units)} {rng.Below(26)}", IsAffineKey, Affine,
            key => $"the affine cipher: with A = 0, B = 1, …, Z = 25, a letter x becomes ({key.Split(' ')[0]}·x + {key.Split(' ')[1]}) mod 26",
            key => $"仿射密码：令 A = 0、B = 1、……、Z = 25，字母 x 换成 ({key.Split(' ')[0]}·x + {key.Split(' ')[1]}) mod 26"),
        new("keyword", Word, IsWord, (text, key, decrypt) => Substitute(text, KeyedAlphabet(key), decrypt),
            key => $"substitution by the keyword {key}: under A to Z stands the cipher alphabet, which is the keyword without repeated letters and then the other letters in order",
            key => $"关键词替换，关键词 {key}：密码字母表由去掉重复字母的关键词和按顺序排列的其余字母组成，依次对应 A 到 Z"),
        new("polybius", _ => "-", key => key == "-", Polybius,
            _ => "Polybius' square: the letters A to Z without J fill five rows of five; each letter becomes its row and column, two digits from 1 to 5",
            _ => "波利比奥斯方阵：去掉 J 的 A 到 Z 逐行填入五行五列，每个字母换成行号和列号，即两个 1 到 5 的数字"),
        new("vigenere", Word, IsWord, (text, key, decrypt) => Shift(text, at => Alphabet.IndexOf(key[at % key.Length]), decrypt),
            key => $"Vigenère's cipher with the key {key}: the key is repeated under the text, and each letter is moved on by the key letter's number (A = 0, B = 1, …)",
            key => $"维吉尼亚密码，密钥 {key}：密钥在明文下反复书写，每个字母按对应密钥字母的序号后移（A = 0，B = 1，……）"),
        new("beaufort", Word, IsWord, (text, key, _) => string.Concat(text.Select((c, at) => Letter(key[at % key.Length] - c))),
            key => $"Beaufort's cipher with the key {key}: the key is repeated under the text, and with A = 0, …, Z = 25 a letter becomes (key letter − letter) mod 26",
            key => $"博福特密码，密钥 {key}：密钥在文字下反复书写，令 A = 0、……、Z = 25，每个字母换成（密钥字母 − 该字母）mod 26"),
        new("columnar", Word, key => IsWord(key) && key.Distinct().Count() == key.Length, Columnar,
            key => $"columnar transposition with the key {key}: the text is written in rows under the key's letters, the last row may be short, and the columns are read from top to bottom in the alphabetical order of their key letters",
            key => $"列换位密码，密钥 {key}：把文字逐行写在密钥字母之下（最后一行可以不满），再按密钥字母的字母表顺序逐列自上而下读出"),
        new("autokey", Word, IsWord, Autokey,
            key => $"the autokey cipher with the key {key}: under the text stands the key and then the plain text itself; each letter is moved on by the number of the letter below it (A = 0, B = 1, …)",
            key => $"自动密钥密码，密钥 {key}：在明文下先写密钥，再接着写明文本身，每个字母按下方字母的序号后移（A = 0，B = 1，……）"),
    ];

    /// <summary>Numbers with an inverse modulo 26, 1 left out.</summary>
    private static int[] Units => [3, 5, 7, 9, 11, 15, 17, 19, 21, 23, 25];

    private readonly record struct Level(int Length, int Methods);

    private static readonly Level[] Levels =
        [new(5, 2), new(7, 3), new(9, 4), new(12, 5), new(15, 6), new(19, 7), new(24, 8), new(30, 9), new(37, 10), new(45, 10)];

    /// <inheritdoc/>
    public override string Name => "cipher";

    /// <inheritdoc/>
    public override string Description => "write or read a text in a classical cipher with the key told";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["encrypt", "decrypt", ":", "-", .. Methods.Select(method => method.Name), .. Alphabet.Select(letter => $"{letter}"), .. Enumerable.Range(0, 10).Select(digit => $"{digit}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Message, string>> English { get; } =
    [
        p => $"The cipher is {MethodOf(p).English(p.Key)}.\n{(p.Decrypt ? "Decrypt this ciphertext" : "Encrypt this plain text")}: {p.Text}\nGive the resulting {(p.IsDigits ? "digits" : "letters")} alone.",
        p => $"{(p.Decrypt ? "A secret message reads" : "A message to be kept secret reads")}\n{p.Text}\n{(p.Decrypt ? "It was written in" : "Write it in")} {MethodOf(p).English(p.Key)}.\nAnswer with {(p.Decrypt ? "the original text" : "the ciphertext")} and nothing else.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Message, string>> Chinese { get; } =
    [
        p => $"所用的密码是{MethodOf(p).Chinese(p.Key)}。\n请{(p.Decrypt ? "解密这段密文" : "加密这段明文")}：{p.Text}\n只写结果{(p.IsDigits ? "数字" : "字母")}。",
        p => $"{(p.Decrypt ? "一段密文" : "一段明文")}：\n{p.Text}\n加密规则为{MethodOf(p).Chinese(p.Key)}。\n请写出{(p.Decrypt ? "原来的明文" : "对应的密文")}，不要写其他内容。",
    ];

    /// <inheritdoc/>
    protected override (Message Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        while (true)
        {
            var method = Methods[rng.Below(level.Methods)];
            var (key, decrypt, text) = (method.Draw(rng), rng.OneIn(2), Draw(level.Length, rng));
            if (!method.IsKey(key))
                continue;
            var puzzle = new Message(method.Name, key, decrypt ? method.Apply(text, key, false) : text, decrypt);
            if (puzzle.Result != puzzle.Text)
                return (puzzle, string.Join(' ', puzzle.Result.AsEnumerable()));
        }
    }

    private static string Draw(int length, Rng rng)
    {
        var text = new StringBuilder();
        while (text.Length < length)
            text.Append(rng.Pick(Vocabulary));
        return $"{text}";
    }

    private static Method MethodOf(Message puzzle) => Methods.First(method => method.Name == puzzle.Name);

    private static string Word(Rng rng) => rng.Pick(Vocabulary);

    private static bool IsWord(string key) => key.Length is >= 2 and <= 20 && key.All(char.IsAsciiLetterUpper);

    private static bool IsNumber(string key, int low, int high) => key.Length is 1 or 2 && key.All(char.IsAsciiDigit) && int.Parse(key) >= low && int.Parse(key) <= high;

    private static bool IsAffineKey(string key) =>
        key.Split(' ') is [var factor, var shift] && IsNumber(factor, 1, 25) && Units.Contains(int.Parse(factor)) && IsNumber(shift, 0, 25);

    private static char Letter(int number) => Alphabet[((number % 26) + 26) % 26];

    private static string Shift(string text, Func<int, int> by, bool back) =>
        string.Concat(text.Select((c, at) => Letter(c - 'A' + (back ? -by(at) : by(at)))));

    private static string Substitute(string text, string alphabet, bool back) =>
        string.Concat(text.Select(c => back ? Alphabet[alphabet.IndexOf(c)] : alphabet[Alphabet.IndexOf(c)]));

    private static string KeyedAlphabet(string key) => string.Concat((key + Alphabet).Distinct());

    private static string Affine(string text, string key, bool decrypt)
    {
        var (factor, shift) = (int.Parse(key.Split(' ')[0]), int.Parse(key.Split(' ')[1]));
        return Substitute(text, string.Concat(Enumerable.Range(0, 26).Select(x => Letter((factor * x) + shift))), decrypt);
    }

    private static string Polybius(string text, string key, bool decrypt) => decrypt
        ? string.Concat(text.Chunk(2).Select(pair => Square[((pair[0] - '1') * 5) + pair[1] - '1']))
        : string.Concat(text.Select(c => Square.IndexOf(c)).Select(at => $"{(at / 5) + 1}{(at % 5) + 1}"));

    private static string Autokey(string text, string key, bool decrypt)
    {
        var plain = new StringBuilder();
        var result = new StringBuilder();
        foreach (var (at, c) in text.Index())
        {
            var by = (at < key.Length ? key[at] : plain[at - key.Length]) - 'A';
            var other = Letter(c - 'A' + (decrypt ? -by : by));
            plain.Append(decrypt ? other : c);
            result.Append(other);
        }
        return $"{result}";
    }

    private static string RailFence(string text, string key, bool decrypt)
    {
        var rails = int.Parse(key);
        var period = 2 * (rails - 1);
        return Transpose(text, [.. Enumerable.Range(0, text.Length).OrderBy(at => Math.Min(at % period, period - (at % period)))], decrypt);
    }

    private static string Columnar(string text, string key, bool decrypt) =>
        Transpose(text, [.. Enumerable.Range(0, text.Length).OrderBy(at => key[at % key.Length])], decrypt);

    /// <summary>Reads letters in the given order, or puts them back to where they were.</summary>
    private static string Transpose(string text, int[] order, bool back)
    {
        var moved = new char[text.Length];
        for (var i = 0; i < moved.Length; i++)
            moved[back ? order[i] : i] = text[back ? i : order[i]];
        return new(moved);
    }

    /// <inheritdoc/>
    protected override string Compact(Message puzzle)
    {
        var key = string.Join(' ', puzzle.Key.Where(c => c != ' '));
        return $"{(puzzle.Decrypt ? "decrypt" : "encrypt")} {puzzle.Name} {(puzzle.Name == "affine" ? string.Join(" : ", puzzle.Key.Split(' ').Select(Spaced)) : key)} : {Spaced(puzzle.Text)}";
    }

    private static string Spaced(string text) => string.Join(' ', text.AsEnumerable());

    /// <inheritdoc/>
    protected override Verdict Check(Message puzzle, string answer)
    {
        var text = string.Concat(answer.Where(c => !char.IsWhiteSpace(c))).ToUpperInvariant();
        if (text.Length != puzzle.Result.Length)
            return Verdict.Wrong($"not a text of {puzzle.Result.Length}");
        return text == puzzle.Result ? Verdict.Right : Verdict.Wrong("another text is right");
    }

    /// <inheritdoc/>
    protected override Message Read(JsonObject data) =>
        new(data.Text("cipher"), data.Text("key"), data.Text("text"), data.Number("decrypt", 0, 1) == 1);

    /// <summary>A text to be written in a cipher, or to be read.</summary>
    public sealed class Message : Puzzle
    {
        internal Message(string name, string key, string text, bool decrypt)
        {
            var method = Methods.FirstOrDefault(method => method.Name == name) ?? throw new FormatException($"No cipher is called '{name}'.");
            if (!method.IsKey(key))
                throw new FormatException($"'{key}' is not a key of {name}.");
            var fits = name == "polybius" && decrypt
                ? text.Length % 2 == 0 && text.All(c => c is >= '1' and <= '5')
                : text.All(name == "polybius" ? Square.Contains : char.IsAsciiLetterUpper);
            if (text.Length is < 2 or > Longest || !fits)
                throw new FormatException($"'{text}' is not a text for {name}.");
            (Name, Key, Text, Decrypt, Result) = (name, key, text, decrypt, method.Apply(text, key, decrypt));
        }

        /// <summary>The cipher.</summary>
        internal string Name { get; }

        internal string Key { get; }

        internal string Text { get; }

        /// <summary>Whether the text is in cipher.</summary>
        internal bool Decrypt { get; }

        /// <summary>The other text.</summary>
        internal string Result { get; }

        internal bool IsDigits => char.IsAsciiDigit(Result[0]);

        /// <inheritdoc/>
        public override JsonObject ToJson() => new() { ["cipher"] = Name, ["key"] = Key, ["text"] = Text, ["decrypt"] = Decrypt ? 1 : 0 };

        /// <inheritdoc/>
        public override string CanonicalForm() => $"{Name} {Key} {Text} {Decrypt}";
    }
}
