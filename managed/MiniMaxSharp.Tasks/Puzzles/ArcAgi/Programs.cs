namespace MiniMaxSharp.Tasks.Puzzles.Arc;

/// <summary>What the inputs of a program look like.</summary>
internal enum Scene
{
    /// <summary>Cells of three colours at random, about half of them background.</summary>
    Noise,

    /// <summary>A few single cells.</summary>
    Dots,

    /// <summary>Blobs that do not touch one another.</summary>
    Blobs,

    /// <summary>Blobs and single cells that do not touch one another.</summary>
    BlobsAndDots,

    /// <summary>Outlines of rectangles that do not touch one another.</summary>
    Rings,

    /// <summary>A row has a run of one colour from the left.</summary>
    Bars,

    /// <summary>Left and right half, each of one colour and background, and a column between them.</summary>
    Halves,

    /// <summary>At most four cells a side, of three colours and background.</summary>
    Small,

    /// <summary>Lines of one colour, some of them empty.</summary>
    SparseLines,
}

/// <summary>A transformation of pictures: its primitives, with letters where the seed chooses colours, and what it is shown on.</summary>
internal sealed record TransformProgram(int Difficulty, Scene Scene, string Steps);

/// <summary>The transformation programs. A, B and C are the colours of inputs, D is another one.</summary>
internal static class Programs
{
    internal static IReadOnlyList<TransformProgram> All { get; } =
    [
        new(1, Scene.Noise, "mirror"),
        new(1, Scene.Noise, "flip"),
        new(1, Scene.Noise, "transpose"),
        new(1, Scene.Noise, "turn_around"),
        new(1, Scene.Noise, "recolour A D"),
        new(1, Scene.Noise, "remove A"),
        new(1, Scene.Noise, "keep B"),
        new(1, Scene.Noise, "fill_background D"),
        new(1, Scene.Noise, "edge D"),
        new(2, Scene.Noise, "turn_right"),
        new(2, Scene.Noise, "turn_left"),
        new(2, Scene.Noise, "swap A B"),
        new(2, Scene.Small, "enlarge 2"),
        new(2, Scene.Small, "tile 2 2"),
        new(2, Scene.Small, "mirror_beside"),
        new(2, Scene.Small, "flip_below"),
        new(2, Scene.Noise, "surround D"),
        new(2, Scene.Noise, "trim"),
        new(3, Scene.Noise, "paint D"),
        new(3, Scene.Noise, "invert D"),
        new(3, Scene.Noise, "push_right"),
        new(3, Scene.Noise, "fall"),
        new(3, Scene.Noise, "rise"),
        new(3, Scene.Noise, "top_half"),
        new(3, Scene.Noise, "left_half"),
        new(3, Scene.Blobs, "crop"),
        new(3, Scene.Dots, "shine_down"),
        new(4, Scene.Dots, "shine_left"),
        new(4, Scene.Blobs, "outline D"),
        new(4, Scene.Rings, "fill_holes D"),
        new(4, Scene.Blobs, "keep_largest"),
        new(4, Scene.BlobsAndDots, "remove_dots"),
        new(4, Scene.BlobsAndDots, "keep_dots"),
        new(4, Scene.Noise, "roll_right 1"),
        new(4, Scene.Noise, "keep_commonest"),
        new(4, Scene.Noise, "checker D"),
        new(4, Scene.Small, "mirror_beside; flip_below"),
        new(4, Scene.Halves, "either D"),
        new(5, Scene.Halves, "both D"),
        new(5, Scene.Halves, "left_over_right"),
        new(5, Scene.Blobs, "halo D"),
        new(5, Scene.Blobs, "paint_largest D"),
        new(5, Scene.Blobs, "remove_largest"),
        new(5, Scene.SparseLines, "join_rows; join_columns"),
        new(5, Scene.Bars, "sort_rows"),
        new(5, Scene.Noise, "overlay_mirror"),
        new(5, Scene.Noise, "copy_left_over"),
        new(5, Scene.SparseLines, "drop_empty_rows"),
        new(5, Scene.Noise, "every_other_row"),
        new(6, Scene.Halves, "just_one D"),
        new(6, Scene.Halves, "neither D"),
        new(6, Scene.Blobs, "cut_largest"),
        new(6, Scene.Blobs, "boxes D"),
        new(6, Scene.Blobs, "count D"),
        new(6, Scene.Noise, "first_of_rows"),
        new(6, Scene.Noise, "paint_by_commonest"),
        new(6, Scene.Small, "fractal"),
        new(6, Scene.Noise, "stagger"),
        new(6, Scene.Bars, "sort_rows; mirror"),
        new(7, Scene.Blobs, "crop; surround D"),
        new(7, Scene.Noise, "overlay_mirror; overlay_flip"),
        new(7, Scene.Noise, "copy_left_over; copy_top_over"),
        new(7, Scene.Noise, "paint_commonest D; mirror"),
        new(7, Scene.SparseLines, "drop_empty_rows; drop_empty_columns"),
        new(7, Scene.Small, "recolour A D; enlarge 3"),
        new(7, Scene.Bars, "transpose; flip; sort_columns"),
        new(7, Scene.Dots, "shine_right; grid_lines D"),
        new(8, Scene.Halves, "both D; mirror_beside"),
        new(8, Scene.Halves, "just_one D; turn_right"),
        new(8, Scene.Rings, "fill_holes D; remove A"),
        new(8, Scene.BlobsAndDots, "remove_dots; halo D"),
        new(8, Scene.Noise, "fall; mirror; swap A B"),
        new(8, Scene.Noise, "keep B; overlay_flip; stripes D"),
        new(8, Scene.Blobs, "keep_largest; outline D"),
        new(8, Scene.Noise, "push_left; edge D"),
        new(9, Scene.Blobs, "cut_largest; mirror_beside; flip_below"),
        new(9, Scene.Blobs, "remove_largest; paint D; crop"),
        new(9, Scene.Rings, "fill_holes D; keep_largest; crop"),
        new(9, Scene.Noise, "keep_commonest; fall; shine_up"),
        new(9, Scene.Small, "fractal; turn_right; swap A B"),
        new(9, Scene.Halves, "neither D; fall; surround A"),
        new(9, Scene.Bars, "transpose; flip; sort_columns; fill_background D"),
        new(9, Scene.BlobsAndDots, "keep_dots; shine_right; shine_down"),
        new(10, Scene.Blobs, "paint_largest D; boxes A; turn_left"),
        new(10, Scene.BlobsAndDots, "remove_dots; cut_largest; tile 2 2; surround D"),
        new(10, Scene.Noise, "remove A; fall; overlay_mirror; checker D"),
        new(10, Scene.Halves, "either A; outline D; flip_below"),
        new(10, Scene.SparseLines, "join_rows; underline D; roll_down 1; turn_around"),
        new(10, Scene.Noise, "keep B; rise; sort_columns; fill_background D"),
        new(10, Scene.SparseLines, "drop_empty_rows; drop_empty_columns; mirror_beside; swap A B"),
        new(10, Scene.Blobs, "hollow; crop; diagonal D"),
    ];
}
