using System.Globalization;
using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks;

/// <summary>
/// The rules of those grids that may have several solutions, for <see cref="SecondOpinion"/>. They read the puzzle's JSON and go from the
/// rules to the cells where the verifiers go from the cells to the rules; nothing here is shared with a verifier.
/// </summary>
internal static class GridRules
{
    private static readonly (int Down, int Right)[] Beside = [(-1, 0), (0, 1), (1, 0), (0, -1)];
    private static readonly (int Down, int Right)[] Around = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)];

    /// <summary>Walks out of each number along its rays and collects the arrows.</summary>
    internal static bool ArrowMaze(JsonObject data, string[] symbols)
    {
        const int Side = 5;
        const string Arrows = "↑↗→↘↓↙←↖";
        var (given, reached) = (data.Texts("grid"), new HashSet<int>());
        if (symbols.Length != given.Length || given.Zip(symbols).Any(pair => pair.First == "_" ? !IsArrow(pair.Second) : pair.First != pair.Second))
            return false;
        for (var cell = 0; cell < symbols.Length; cell++)
        {
            var length = 0;
            for (var direction = 0; direction < 8 && !IsArrow(symbols[cell]); direction++)
            {
                for (var next = Step(cell, Around[direction], Side); next >= 0 && symbols[next] == $"{Arrows[direction]}"; next = Step(next, Around[direction], Side), length++)
                    reached.Add(next);
            }
            if (!IsArrow(symbols[cell]) && symbols[cell] != $"{length}")
                return false;
        }
        return reached.Count == symbols.Count(IsArrow);

        static bool IsArrow(string symbol) => symbol.Length == 1 && Arrows.Contains(symbol[0]);
    }

    internal static bool Calcudoko(JsonObject data, string[] symbols)
    {
        var side = data.Number("side", 1, 9);
        return Numbers(symbols, side * side) is { } cells && IsLatin(cells, side) && data.Texts("cages").All(text =>
        {
            var words = text.Split(' ');
            var (target, held) = (int.Parse(words[^1][..^1], CultureInfo.InvariantCulture), words[..^1].Select(name => cells[Cell(name, side)]).ToArray());
            return words[^1][^1] switch
            {
                '+' => held.Sum() == target,
                '*' => held.Aggregate((a, b) => a * b) == target,
                '-' => held[0] - held[1] == target || held[1] - held[0] == target,
                '/' => held[0] == held[1] * target || held[1] == held[0] * target,
                _ => held.SequenceEqual([target]),
            };
        });
    }

    /// <summary>Tries for each tree in turn every tent that is left.</summary>
    internal static bool Campsite(JsonObject data, string[] symbols)
    {
        var (grid, rows, columns) = (data.Text("grid"), data.Numbers("rows", 0, 9), data.Numbers("columns", 0, 9));
        var side = rows.Length;
        if (symbols.Length != grid.Length || grid.Zip(symbols).Any(pair => pair.First == 'T' ? pair.Second != "T" : pair.Second is not ("C" or ".")))
            return false;
        var (trees, tents) = (At("T"), At("C"));
        return Enumerable.Range(0, side).All(line => tents.Count(tent => tent / side == line) == rows[line] && tents.Count(tent => tent % side == line) == columns[line])
            && !tents.Any(tent => Neighbours(tent, Around, side).Any(tents.Contains)) && trees.Length == tents.Length && CanPair(0, [.. tents]);

        int[] At(string symbol) => [.. Enumerable.Range(0, symbols.Length).Where(cell => symbols[cell] == symbol)];

        bool CanPair(int tree, HashSet<int> left) => tree == trees.Length
            || Neighbours(trees[tree], Beside, side).Any(tent => left.Contains(tent) && CanPair(tree + 1, [.. left.Where(other => other != tent)]));
    }

    internal static bool Futoshiki(JsonObject data, string[] symbols)
    {
        var (side, grid) = (data.Number("side", 1, 9), data.Text("grid"));
        return Numbers(symbols, side * side) is { } cells && IsLatin(cells, side)
            && grid.Zip(cells).All(pair => pair.First == '_' || pair.First - '0' == pair.Second)
            && data.Texts("signs").Select(text => text.Split(' ')).All(sign => cells[Cell(sign[0], side)] < cells[Cell(sign[2], side)]);
    }

    internal static bool Kukurasu(JsonObject data, string[] symbols)
    {
        var (rows, columns) = (data.Numbers("rows", 0, 45), data.Numbers("columns", 0, 45));
        var side = rows.Length;
        if (symbols.Length != side * side || !symbols.All(symbol => symbol is "1" or "X" or "x" or "0"))
            return false;
        for (var cell = 0; cell < symbols.Length; cell++)
        {
            if (symbols[cell] != "1")
                continue;
            rows[cell / side] -= (cell % side) + 1;
            columns[cell % side] -= (cell / side) + 1;
        }
        return rows.Concat(columns).All(rest => rest == 0);
    }

    internal static bool Norinori(JsonObject data, string[] symbols)
    {
        var (side, regions) = (data.Number("side", 1, 9), data.Text("regions"));
        if (Numbers(symbols, side * side) is not { } cells || !cells.All(cell => cell is 0 or 1))
            return false;
        var shaded = Enumerable.Range(0, cells.Length).Where(cell => cells[cell] == 1).ToHashSet();
        return regions.Distinct().All(region => shaded.Count(cell => regions[cell] == region) == 2)
            && shaded.All(cell => Neighbours(cell, Beside, side).Count(shaded.Contains) == 1);
    }

    /// <summary>Gives each open cell the least index of its island by passing indices on until nothing changes.</summary>
    internal static bool NumberWall(JsonObject data, string[] symbols)
    {
        var (side, clues) = (data.Number("side", 1, 9), data.Numbers("cells", 0, 9));
        if (symbols.Length != clues.Length || clues.Zip(symbols).Any(pair => pair.First > 0 ? pair.Second != $"{pair.First}" : pair.Second is not ("#" or ".")))
            return false;
        var open = Enumerable.Range(0, symbols.Length).Where(cell => symbols[cell] != "#").ToArray();
        var island = Enumerable.Range(0, symbols.Length).ToArray();
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var cell in open)
            {
                var least = Neighbours(cell, Beside, side).Where(other => symbols[other] != "#").Select(other => island[other]).Append(island[cell]).Min();
                changed |= least < island[cell];
                island[cell] = least;
            }
        }
        return open.GroupBy(cell => island[cell]).All(cells => cells.Where(cell => clues[cell] > 0).ToArray() is [var only] && clues[only] == cells.Count())
            && !Enumerable.Range(0, symbols.Length).Any(cell => cell / side < side - 1 && cell % side < side - 1
                && new[] { cell, cell + 1, cell + side, cell + side + 1 }.All(corner => symbols[corner] == "#"));
    }

    internal static bool Numbrix(JsonObject data, string[] symbols)
    {
        var (side, given) = (data.Number("side", 1, 15), data.Numbers("cells", 0, 225));
        if (Numbers(symbols, given.Length) is not { } cells || given.Zip(cells).Any(pair => pair.First > 0 && pair.First != pair.Second))
            return false;
        var path = Enumerable.Range(0, cells.Length).OrderBy(cell => cells[cell]).ToArray();
        return path.Select(cell => cells[cell]).SequenceEqual(Enumerable.Range(1, cells.Length))
            && path.Zip(path.Skip(1)).All(step => Math.Abs((step.First / side) - (step.Second / side)) + Math.Abs((step.First % side) - (step.Second % side)) == 1);
    }

    internal static bool StarPlacement(JsonObject data, string[] symbols)
    {
        var (side, count, regions) = (data.Number("side", 1, 10), data.Number("stars", 1, 2), data.Numbers("regions", 0, 9));
        if (symbols.Length != regions.Length || !symbols.All(symbol => symbol is "*" or "."))
            return false;
        var stars = Enumerable.Range(0, symbols.Length).Where(cell => symbols[cell] == "*").ToHashSet();
        return !stars.Any(star => Neighbours(star, Around, side).Any(stars.Contains)) && Enumerable.Range(0, side).All(line =>
            stars.Count(star => star / side == line) == count && stars.Count(star => star % side == line) == count && stars.Count(star => regions[star] == line) == count);
    }

    internal static bool Survo(JsonObject data, string[] symbols)
    {
        var (given, rows, columns, left) = (data.Numbers("cells", 0, 999), data.Numbers("rowSums", 0, 9999), data.Numbers("columnSums", 0, 9999), data.Numbers("candidates", 0, 999).ToList());
        if (Numbers(symbols, given.Length) is not { } cells)
            return false;
        for (var cell = 0; cell < cells.Length; cell++)
        {
            if (given[cell] > 0 ? given[cell] != cells[cell] : !left.Remove(cells[cell]))
                return false;
            rows[cell / columns.Length] -= cells[cell];
            columns[cell % columns.Length] -= cells[cell];
        }
        return rows.Concat(columns).All(rest => rest == 0);
    }

    /// <summary>Reads on from each letter that begins a word.</summary>
    internal static bool Wordscapes(JsonObject data, string[] symbols)
    {
        var (side, pattern) = (data.Number("side", 1, 12), data.Text("pattern"));
        return symbols.Length == pattern.Length && symbols.Zip(pattern).All(pair => pair.Second == '#' ? pair.First == "#" : pair.First.Length == 1 && char.IsAsciiLetter(pair.First[0]))
            && Words((0, 1)).SequenceEqual(data.Texts("across").Order(StringComparer.Ordinal)) && Words((1, 0)).SequenceEqual(data.Texts("down").Order(StringComparer.Ordinal));

        IEnumerable<string> Words((int Down, int Right) step) => Enumerable.Range(0, symbols.Length)
            .Where(cell => !IsLetter(Step(cell, (-step.Down, -step.Right), side))).Select(cell => Word(cell, step)).Where(word => word.Length > 1).Order(StringComparer.Ordinal);

        string Word(int cell, (int Down, int Right) step) => IsLetter(cell) ? symbols[cell].ToLowerInvariant() + Word(Step(cell, step, side), step) : "";

        bool IsLetter(int cell) => cell >= 0 && symbols[cell] != "#";
    }

    private static int[]? Numbers(string[] symbols, int count) => symbols.Length == count && symbols.All(symbol => symbol.Length < 5 && symbol.All(char.IsAsciiDigit))
        ? [.. symbols.Select(symbol => int.Parse(symbol, CultureInfo.InvariantCulture))]
        : null;

    /// <summary>Row a, b, … and column 1, 2, ….</summary>
    private static int Cell(string name, int side) => ((name[0] - 'a') * side) + name[1] - '1';

    private static bool IsLatin(int[] cells, int side) => cells.All(number => number >= 1 && number <= side)
        && cells.Select((number, cell) => (cell / side, number)).Distinct().Count() == cells.Length
        && cells.Select((number, cell) => (cell % side, number)).Distinct().Count() == cells.Length;

    private static IEnumerable<int> Neighbours(int cell, (int Down, int Right)[] steps, int side) => steps.Select(step => Step(cell, step, side)).Where(other => other >= 0);

    /// <summary>The cell a step away, or −1 beyond the edge.</summary>
    private static int Step(int cell, (int Down, int Right) step, int side)
    {
        var (row, column) = ((cell / side) + step.Down, (cell % side) + step.Right);
        return row >= 0 && row < side && column >= 0 && column < side ? (row * side) + column : -1;
    }
}
