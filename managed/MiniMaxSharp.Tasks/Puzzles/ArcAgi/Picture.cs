namespace MiniMaxSharp.Tasks.Puzzles.Arc;

/// <summary>A grid of colours 0 to 9, at most 24 a side. 0 is the background. Immutable.</summary>
internal sealed class Picture
{
    internal const int LongestSide = 24;
    internal const int Colours = 10;
    private readonly int[] _cells;

    private Picture(int height, int width, int[] cells) => (Height, Width, _cells) = (height, width, cells);

    internal int Height { get; }

    internal int Width { get; }

    internal IReadOnlyList<int> Cells => _cells;

    internal int this[int row, int column] => _cells[(row * Width) + column];

    /// <summary>Null if it would be empty or too large.</summary>
    internal static Picture? Of(int height, int width, Func<int, int, int> colour) => height is >= 1 and <= LongestSide && width is >= 1 and <= LongestSide
        ? new Picture(height, width, [.. Enumerable.Range(0, height * width).Select(cell => colour(cell / width, cell % width))])
        : null;

    /// <summary>Null if the rows are not of one length, or not at least one and at most 24.</summary>
    internal static Picture? OfRows(IReadOnlyList<int[]> rows) =>
        rows.Count > 0 && rows.All(row => row.Length == rows[0].Length) ? Of(rows.Count, rows[0].Length, (row, column) => rows[row][column]) : null;

    /// <summary>Digits with slashes between rows, as <see cref="ToString"/> writes them.</summary>
    internal static Picture? Parse(string text) =>
        text.All(c => char.IsAsciiDigit(c) || c == '/') ? OfRows([.. text.Split('/').Select(row => row.Select(digit => digit - '0').ToArray())]) : null;

    internal Picture Recoloured(Func<int, int> colour) => new(Height, Width, [.. _cells.Select(colour)]);

    /// <summary>The same size, each cell by its row and column.</summary>
    internal Picture Painted(Func<int, int, int> colour) => Of(Height, Width, colour)!;

    internal Picture Transposed() => Of(Width, Height, (row, column) => this[column, row])!;

    internal Picture Mirrored() => Painted((row, column) => this[row, Width - 1 - column]);

    internal Picture Flipped() => Painted((row, column) => this[Height - 1 - row, column]);

    internal int[][] Rows() => [.. _cells.Chunk(Width)];

    internal bool Contains(int row, int column) => row >= 0 && row < Height && column >= 0 && column < Width;

    /// <summary>The colour there, 0 outside.</summary>
    internal int At(int row, int column) => Contains(row, column) ? this[row, column] : 0;

    /// <summary>Connected cells of one colour that is not the background, in reading order of their first cells.</summary>
    internal List<List<int>> Objects() => Pieces(colour => colour > 0);

    /// <summary>Connected cells of one colour that satisfies a condition.</summary>
    internal List<List<int>> Pieces(Func<int, bool> wanted)
    {
        var (pieces, seen) = (new List<List<int>>(), new bool[_cells.Length]);
        for (var start = 0; start < _cells.Length; start++)
        {
            if (seen[start] || !wanted(_cells[start]))
                continue;
            var piece = new List<int> { start };
            seen[start] = true;
            for (var i = 0; i < piece.Count; i++)
            {
                foreach (var next in Grids.Beside(piece[i], Height, Width).Where(next => !seen[next] && _cells[next] == _cells[start]))
                {
                    seen[next] = true;
                    piece.Add(next);
                }
            }
            pieces.Add(piece);
        }
        return pieces;
    }

    internal Picture? Cropped(IReadOnlyCollection<int> cells)
    {
        if (cells.Count == 0)
            return null;
        var (top, left) = (cells.Min(cell => cell / Width), cells.Min(cell => cell % Width));
        var (bottom, right) = (cells.Max(cell => cell / Width), cells.Max(cell => cell % Width));
        return Of(bottom - top + 1, right - left + 1, (row, column) => this[top + row, left + column]);
    }

    internal bool IsSame(Picture other) => Width == other.Width && _cells.AsSpan().SequenceEqual(other._cells);

    /// <inheritdoc/>
    public override string ToString() => string.Join('/', Rows().Select(row => string.Concat(row)));
}
