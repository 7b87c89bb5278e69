namespace MiniMaxSharp.Tasks.Puzzles.Arc;

/// <summary>Inputs for programs.</summary>
internal static class Scenes
{
    private const int Attempts = 40;

    /// <summary>A picture in three colours.</summary>
    internal static Picture Draw(Scene scene, int smallest, int largest, IReadOnlyList<int> colours, Rng rng)
    {
        var (height, width) = (rng.Between(smallest, largest), rng.Between(smallest, largest));
        return scene switch
        {
            Scene.Noise => Noise(height, width, colours, rng),
            Scene.Small => Noise(rng.Between(2, 4), rng.Between(2, 4), colours, rng),
            Scene.Dots => Placed(height, width, rng.Between(2, 5), _ => [(0, 0)], colours, rng),
            Scene.Blobs => Placed(height, width, rng.Between(2, 4), _ => Blob(rng.Between(2, 7), rng), colours, rng),
            Scene.BlobsAndDots => Placed(height, width, rng.Between(3, 6), i => Blob(i % 2 == 0 ? rng.Between(3, 7) : 1, rng), colours, rng),
            Scene.Rings => Placed(height, width, rng.Between(1, 3), _ => Ring(rng.Between(3, 5), rng.Between(3, 5)), colours, rng),
            Scene.Bars => Bars(height, width, colours, rng),
            Scene.Halves => Halves(height, Math.Max(2, width / 2), colours, rng),
            _ => Lines(height, width, colours, rng),
        };
    }

    private static Picture Noise(int height, int width, IReadOnlyList<int> colours, Rng rng) =>
        Picture.Of(height, width, (_, _) => rng.OneIn(2) ? rng.Pick(colours) : 0)!;

    private static Picture Bars(int height, int width, IReadOnlyList<int> colours, Rng rng)
    {
        var bars = Enumerable.Range(0, height).Select(_ => (Length: rng.Between(1, width), Colour: rng.Pick(colours))).ToArray();
        return Picture.Of(height, width, (row, column) => column < bars[row].Length ? bars[row].Colour : 0)!;
    }

    private static Picture Halves(int height, int width, IReadOnlyList<int> colours, Rng rng) => Picture.Of(
        height, (2 * width) + 1, (_, column) => column == width ? colours[2] : rng.OneIn(2) ? colours[column < width ? 0 : 1] : 0)!;

    private static Picture Lines(int height, int width, IReadOnlyList<int> colours, Rng rng)
    {
        var (rows, columns) = (Enumerable.Range(0, height).Select(_ => rng.OneIn(3)).ToArray(), Enumerable.Range(0, width).Select(_ => rng.OneIn(4)).ToArray());
        return Picture.Of(height, width, (row, column) => rows[row] || columns[column] || rng.OneIn(3) ? 0 : rng.Pick(colours))!;
    }

    /// <summary>Shapes that do not touch, not even at corners.</summary>
    private static Picture Placed(int height, int width, int count, Func<int, IReadOnlyList<(int Row, int Column)>> shape, IReadOnlyList<int> colours, Rng rng)
    {
        var cells = new int[height * width];
        for (var (i, attempt) = (0, 0); i < count && attempt < Attempts; attempt++)
        {
            var (top, left, colour) = (rng.Below(height), rng.Below(width), rng.Pick(colours));
            var at = shape(i).Select(cell => (Row: cell.Row + top, Column: cell.Column + left)).ToArray();
            if (at.Any(cell => cell.Row >= height || cell.Column >= width))
                continue;
            var places = at.Select(cell => (cell.Row * width) + cell.Column).ToArray();
            if (places.Any(place => cells[place] > 0 || Grids.Around(place, height, width).Any(next => cells[next] > 0)))
                continue;
            foreach (var place in places)
                cells[place] = colour;
            i++;
        }
        return Picture.Of(height, width, (row, column) => cells[(row * width) + column])!;
    }

    /// <summary>So many connected cells, moved against the top and left.</summary>
    private static (int Row, int Column)[] Blob(int size, Rng rng)
    {
        var cells = new List<(int Row, int Column)> { (0, 0) };
        while (cells.Count < size)
        {
            var (row, column) = rng.Pick(cells);
            var next = rng.Pick([(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]);
            if (!cells.Contains(next))
                cells.Add(next);
        }
        var (top, left) = (cells.Min(cell => cell.Row), cells.Min(cell => cell.Column));
        return [.. cells.Select(cell => (cell.Row - top, cell.Column - left))];
    }

    private static (int Row, int Column)[] Ring(int height, int width) =>
    [
        .. from row in Enumerable.Range(0, height)
           from column in Enumerable.Range(0, width)
           where row == 0 || column == 0 || row == height - 1 || column == width - 1
           select (row, column),
    ];
}
