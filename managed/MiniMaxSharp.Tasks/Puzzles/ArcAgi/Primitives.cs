namespace MiniMaxSharp.Tasks.Puzzles.Arc;

/// <summary>
/// The words of transformation programs. A primitive takes a picture and a few numbers (mostly colours) and gives a picture,
/// or null where it does not apply. A program is primitives with their numbers, between semicolons.
/// </summary>
internal static class Primitives
{
    private const int LongestProgram = 12;

    private delegate Picture? Change(Picture picture, int[] numbers);

    private static readonly Dictionary<string, (int Numbers, Change Change)> ByName = new()
    {
        // Turns and reflections.
        ["turn_right"] = (0, (p, _) => p.Transposed().Mirrored()),
        ["turn_left"] = (0, (p, _) => p.Transposed().Flipped()),
        ["turn_around"] = (0, (p, _) => p.Mirrored().Flipped()),
        ["mirror"] = (0, (p, _) => p.Mirrored()),
        ["flip"] = (0, (p, _) => p.Flipped()),
        ["transpose"] = (0, (p, _) => p.Transposed()),

        // Size.
        ["enlarge"] = (1, (p, n) => Picture.Of(p.Height * n[0], p.Width * n[0], (row, column) => p[row / n[0], column / n[0]])),
        ["tile"] = (2, (p, n) => Picture.Of(p.Height * n[0], p.Width * n[1], (row, column) => p[row % p.Height, column % p.Width])),
        ["mirror_beside"] = (0, (p, _) => Picture.Of(p.Height, 2 * p.Width, (row, column) => p[row, column < p.Width ? column : (2 * p.Width) - 1 - column])),
        ["flip_below"] = (0, (p, _) => Picture.Of(2 * p.Height, p.Width, (row, column) => p[row < p.Height ? row : (2 * p.Height) - 1 - row, column])),
        ["crop"] = (0, (p, _) => p.Cropped([.. Enumerable.Range(0, p.Cells.Count).Where(cell => p.Cells[cell] > 0)])),
        ["trim"] = (0, (p, _) => Picture.Of(p.Height - 2, p.Width - 2, (row, column) => p[row + 1, column + 1])),
        ["surround"] = (1, (p, n) => Picture.Of(p.Height + 2, p.Width + 2, (row, column) => p.Contains(row - 1, column - 1) ? p[row - 1, column - 1] : n[0])),
        ["top_half"] = (0, (p, _) => p.Height % 2 > 0 ? null : Picture.Of(p.Height / 2, p.Width, (row, column) => p[row, column])),
        ["left_half"] = (0, (p, _) => p.Width % 2 > 0 ? null : Picture.Of(p.Height, p.Width / 2, (row, column) => p[row, column])),
        ["every_other_row"] = (0, (p, _) => Picture.Of((p.Height + 1) / 2, p.Width, (row, column) => p[2 * row, column])),
        ["fractal"] = (0, (p, _) => Picture.Of(p.Height * p.Height, p.Width * p.Width, (row, column) => p[row / p.Height, column / p.Width] > 0 ? p[row % p.Height, column % p.Width] : 0)),
        ["unique_rows"] = (0, (p, _) => Picture.OfRows([.. p.Rows().Where((row, i) => i == 0 || !row.SequenceEqual(p.Rows()[i - 1]))])),
        ["drop_empty_rows"] = (0, (p, _) => Picture.OfRows([.. p.Rows().Where(row => row.Any(colour => colour > 0))])),
        ["drop_empty_columns"] = (0, (p, _) => Turned(p, q => Picture.OfRows([.. q.Rows().Where(row => row.Any(colour => colour > 0))]))),

        // Colours.
        ["recolour"] = (2, (p, n) => p.Recoloured(colour => colour == n[0] ? n[1] : colour)),
        ["swap"] = (2, (p, n) => p.Recoloured(colour => colour == n[0] ? n[1] : colour == n[1] ? n[0] : colour)),
        ["keep"] = (1, (p, n) => p.Recoloured(colour => colour == n[0] ? colour : 0)),
        ["remove"] = (1, (p, n) => p.Recoloured(colour => colour == n[0] ? 0 : colour)),
        ["paint"] = (1, (p, n) => p.Recoloured(colour => colour > 0 ? n[0] : 0)),
        ["fill_background"] = (1, (p, n) => p.Recoloured(colour => colour == 0 ? n[0] : colour)),
        ["invert"] = (1, (p, n) => p.Recoloured(colour => colour == 0 ? n[0] : 0)),
        ["keep_commonest"] = (0, (p, _) => Commonest(p) is { } commonest ? p.Recoloured(colour => colour == commonest ? colour : 0) : null),
        ["paint_commonest"] = (1, (p, n) => Commonest(p) is { } commonest ? p.Recoloured(colour => colour == commonest ? n[0] : colour) : null),
        ["paint_by_commonest"] = (0, (p, _) => Commonest(p) is { } commonest ? p.Recoloured(colour => colour > 0 ? commonest : 0) : null),
        ["first_of_rows"] = (0, (p, _) => ByRows(p, row => [.. row.Select(_ => row.FirstOrDefault(colour => colour > 0))])),

        // Movement.
        ["push_right"] = (0, (p, _) => PushedRight(p)),
        ["push_left"] = (0, (p, _) => PushedRight(p.Mirrored()).Mirrored()),
        ["fall"] = (0, (p, _) => PushedRight(p.Transposed()).Transposed()),
        ["rise"] = (0, (p, _) => PushedRight(p.Flipped().Transposed()).Transposed().Flipped()),
        ["roll_right"] = (1, (p, n) => p.Painted((row, column) => p[row, (column + p.Width - (n[0] % p.Width)) % p.Width])),
        ["roll_down"] = (1, (p, n) => p.Painted((row, column) => p[(row + p.Height - (n[0] % p.Height)) % p.Height, column])),
        ["stagger"] = (0, (p, _) => p.Painted((row, column) => p[row, (column + p.Width - (row % p.Width)) % p.Width])),
        ["sort_rows"] = (0, (p, _) => Picture.OfRows([.. p.Rows().OrderBy(row => row.Count(colour => colour > 0))])),
        ["sort_columns"] = (0, (p, _) => Turned(p, q => Picture.OfRows([.. q.Rows().OrderBy(row => row.Count(colour => colour > 0))]))),

        // Lines.
        ["shine_right"] = (0, (p, _) => ShoneRight(p)),
        ["shine_left"] = (0, (p, _) => ShoneRight(p.Mirrored()).Mirrored()),
        ["shine_down"] = (0, (p, _) => ShoneRight(p.Transposed()).Transposed()),
        ["shine_up"] = (0, (p, _) => ShoneRight(p.Flipped().Transposed()).Transposed().Flipped()),
        ["join_rows"] = (0, (p, _) => Joined(p)),
        ["join_columns"] = (0, (p, _) => Joined(p.Transposed()).Transposed()),
        ["grid_lines"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && (row % 3 == 2 || column % 3 == 2) ? n[0] : p[row, column])),
        ["stripes"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && column % 2 == 1 ? n[0] : p[row, column])),
        ["checker"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && (row + column) % 2 == 1 ? n[0] : p[row, column])),
        ["diagonal"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && row == column ? n[0] : p[row, column])),
        ["edge"] = (1, (p, n) => p.Painted((row, column) => row == 0 || column == 0 || row == p.Height - 1 || column == p.Width - 1 ? n[0] : p[row, column])),
        ["underline"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && p.At(row - 1, column) > 0 ? n[0] : p[row, column])),

        // Objects.
        ["keep_largest"] = (0, (p, _) => Only(p, Largest(p))),
        ["remove_largest"] = (0, (p, _) => Largest(p) is { } largest ? p.Painted((row, column) => largest.Contains((row * p.Width) + column) ? 0 : p[row, column]) : null),
        ["paint_largest"] = (1, (p, n) => Largest(p) is { } largest ? p.Painted((row, column) => largest.Contains((row * p.Width) + column) ? n[0] : p[row, column]) : null),
        ["cut_largest"] = (0, (p, _) => Only(p, Largest(p)) is { } only ? only.Cropped(Largest(p)!) : null),
        ["keep_dots"] = (0, (p, _) => Kept(p, piece => piece.Count == 1)),
        ["remove_dots"] = (0, (p, _) => Kept(p, piece => piece.Count > 1)),
        ["fill_holes"] = (1, (p, n) => Filled(p, n[0])),
        ["outline"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && Around(p, row, column, 1).Any(colour => colour > 0) ? n[0] : p[row, column])),
        ["halo"] = (1, (p, n) => p.Painted((row, column) => p[row, column] == 0 && Around(p, row, column, 2).Any(colour => colour > 0) ? n[0] : p[row, column])),
        ["hollow"] = (0, (p, _) => p.Painted((row, column) => Around(p, row, column, 1).All(colour => colour > 0) ? 0 : p[row, column])),
        ["boxes"] = (1, (p, n) => Boxed(p, n[0])),
        ["count"] = (1, (p, n) => Picture.Of(1, 10, (_, column) => column < p.Objects().Count ? n[0] : 0)),

        // Symmetry.
        ["copy_left_over"] = (0, (p, _) => p.Painted((row, column) => p[row, Math.Min(column, p.Width - 1 - column)])),
        ["copy_top_over"] = (0, (p, _) => p.Painted((row, column) => p[Math.Min(row, p.Height - 1 - row), column])),
        ["overlay_mirror"] = (0, (p, _) => p.Painted((row, column) => p[row, column] > 0 ? p[row, column] : p[row, p.Width - 1 - column])),
        ["overlay_flip"] = (0, (p, _) => p.Painted((row, column) => p[row, column] > 0 ? p[row, column] : p[p.Height - 1 - row, column])),

        // Two halves left and right of a middle column.
        ["both"] = (1, (p, n) => Halves(p, (left, right) => left > 0 && right > 0 ? n[0] : 0)),
        ["either"] = (1, (p, n) => Halves(p, (left, right) => left > 0 || right > 0 ? n[0] : 0)),
        ["just_one"] = (1, (p, n) => Halves(p, (left, right) => left > 0 != right > 0 ? n[0] : 0)),
        ["neither"] = (1, (p, n) => Halves(p, (left, right) => left == 0 && right == 0 ? n[0] : 0)),
        ["left_over_right"] = (0, (p, _) => Halves(p, (left, right) => left > 0 ? left : right)),
    };

    /// <summary>The picture that a program makes of another; null where it does not apply.</summary>
    internal static Picture? Run(string program, Picture picture)
    {
        Picture? result = picture;
        foreach (var step in program.Split("; "))
        {
            var words = step.Split(' ');
            result = result is null ? null : ByName[words[0]].Change(result, [.. words[1..].Select(number => Answers.Number(number)!.Value)]);
        }
        return result;
    }

    /// <summary>Whether a text is a program of known primitives, each with as many numbers from 0 to 9 as it takes.</summary>
    internal static bool IsProgram(string text)
    {
        var steps = text.Split("; ");
        return steps.Length <= LongestProgram && steps.All(step => step.Split(' ') is [var name, .. var numbers]
            && ByName.TryGetValue(name, out var primitive) && numbers.Length == primitive.Numbers && numbers.All(number => number is [>= '0' and <= '9']));
    }

    private static Picture? Turned(Picture picture, Func<Picture, Picture?> change) => change(picture.Transposed())?.Transposed();

    private static Picture ByRows(Picture picture, Func<int[], int[]> change) => Picture.OfRows([.. picture.Rows().Select(change)])!;

    /// <summary>The colour besides the background with most cells; null if there is none, or several have as many.</summary>
    private static int? Commonest(Picture picture)
    {
        var counts = picture.Cells.Where(colour => colour > 0).CountBy(colour => colour).OrderByDescending(pair => pair.Value).ToArray();
        return counts.Length > 0 && (counts.Length == 1 || counts[0].Value > counts[1].Value) ? counts[0].Key : null;
    }

    private static Picture PushedRight(Picture picture) => ByRows(picture, row => [.. row.Where(colour => colour == 0), .. row.Where(colour => colour > 0)]);

    private static Picture ShoneRight(Picture picture) => ByRows(picture, row =>
    {
        var light = 0;
        return [.. row.Select(colour => light = colour > 0 ? colour : light)];
    });

    /// <summary>Fills the background between cells of one colour in a row.</summary>
    private static Picture Joined(Picture picture) => ByRows(picture, row =>
        [.. row.Select((colour, i) => colour == 0 && row[..i].LastOrDefault(c => c > 0) is > 0 and var before && row[i..].FirstOrDefault(c => c > 0) == before ? before : colour)]);

    /// <summary>The object with most cells; null if there is none, or several have as many.</summary>
    private static List<int>? Largest(Picture picture)
    {
        var objects = picture.Objects().OrderByDescending(piece => piece.Count).ToArray();
        return objects.Length > 0 && (objects.Length == 1 || objects[0].Count > objects[1].Count) ? objects[0] : null;
    }

    private static Picture? Only(Picture picture, List<int>? piece) =>
        piece is null ? null : picture.Painted((row, column) => piece.Contains((row * picture.Width) + column) ? picture[row, column] : 0);

    private static Picture Kept(Picture picture, Func<List<int>, bool> condition)
    {
        var kept = picture.Objects().Where(condition).SelectMany(piece => piece).ToHashSet();
        return picture.Painted((row, column) => kept.Contains((row * picture.Width) + column) ? picture[row, column] : 0);
    }

    /// <summary>Colours background that does not reach the edge.</summary>
    private static Picture Filled(Picture picture, int colour)
    {
        var holes = picture.Pieces(c => c == 0).Where(piece => !piece.Exists(AtEdge)).SelectMany(piece => piece).ToHashSet();
        return picture.Painted((row, column) => holes.Contains((row * picture.Width) + column) ? colour : picture[row, column]);

        bool AtEdge(int cell) => cell < picture.Width || cell >= picture.Cells.Count - picture.Width || cell % picture.Width == 0 || cell % picture.Width == picture.Width - 1;
    }

    /// <summary>Colours the background within the least rectangle around each object.</summary>
    private static Picture Boxed(Picture picture, int colour)
    {
        var boxes = picture.Objects().Select(piece => (Top: piece.Min(cell => cell / picture.Width), Bottom: piece.Max(cell => cell / picture.Width),
            Left: piece.Min(cell => cell % picture.Width), Right: piece.Max(cell => cell % picture.Width))).ToArray();
        return picture.Painted((row, column) => picture[row, column] == 0 && boxes.Any(box => row >= box.Top && row <= box.Bottom && column >= box.Left && column <= box.Right)
            ? colour
            : picture[row, column]);
    }

    /// <summary>The colours of the neighbours, diagonal ones too if <paramref name="reach"/> is 2.</summary>
    private static IEnumerable<int> Around(Picture picture, int row, int column, int reach) =>
        from down in Enumerable.Range(-1, 3)
        from right in Enumerable.Range(-1, 3)
        where Math.Abs(down) + Math.Abs(right) is > 0 and var distance && distance <= reach
        select picture.At(row + down, column + right);

    private static Picture? Halves(Picture picture, Func<int, int, int> combine)
    {
        var width = picture.Width / 2;
        return picture.Width % 2 == 0 ? null : Picture.Of(picture.Height, width, (row, column) => combine(picture[row, column], picture[row, width + 1 + column]));
    }
}
