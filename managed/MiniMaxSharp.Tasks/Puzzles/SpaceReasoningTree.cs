using System.Text.Json.Nodes;

namespace MiniMaxSharp.Tasks.Puzzles;

/// <summary>
/// space_reasoning_tree of SynLogic (arXiv 2505.19641): a tree of numbered nodes and a question of kinship, such as the children of the
/// siblings of a node. Difficulty sets the number of nodes (50 to 300) and of relations to follow (1 to 3).
/// The answer is the set of nodes, in any order. Canonical under renumbering and reordering.
/// </summary>
public sealed class SpaceReasoningTree : ReasoningTask<SpaceReasoningTree.Tree>
{
    private const int LargestLabel = 999;
    private const int MostAnswers = 15;

    private readonly record struct Level(int Nodes, int Relations);

    private static readonly Level[] Levels =
        [new(50, 1), new(60, 1), new(80, 1), new(100, 2), new(120, 2), new(150, 2), new(180, 2), new(220, 3), new(260, 3), new(300, 3)];

    private static readonly Relation[] Relations =
    [
        new("parent", "parents", "父节点", (tree, node) => tree.Parents[node] is >= 0 and var parent ? [parent] : []),
        new("child", "children", "子节点", (tree, node) => tree.Children[node]),
        new("sibling", "siblings", "兄弟节点", Siblings),
        new("grandparent", "grandparents", "祖父节点", (tree, node) => tree.Parents[node] is >= 0 and var parent && tree.Parents[parent] is >= 0 and var grandparent ? [grandparent] : []),
        new("grandchild", "grandchildren", "孙节点", (tree, node) => tree.Children[node].SelectMany(child => tree.Children[child])),
        new("uncle", "parent's siblings", "叔伯节点（父节点的兄弟）", Uncles),
        new("cousin", "cousins", "堂亲节点（叔伯节点的子节点）", (tree, node) => Uncles(tree, node).SelectMany(uncle => tree.Children[uncle])),
        new("nephew", "siblings' children", "侄节点（兄弟节点的子节点）", (tree, node) => Siblings(tree, node).SelectMany(sibling => tree.Children[sibling])),
    ];

    private static IEnumerable<int> Siblings(Tree tree, int node) =>
        tree.Parents[node] is >= 0 and var parent ? tree.Children[parent].Where(child => child != node) : [];

    private static IEnumerable<int> Uncles(Tree tree, int node) => tree.Parents[node] is >= 0 and var parent ? Siblings(tree, parent) : [];

    /// <inheritdoc/>
    public override string Name => "space_reasoning_tree";

    /// <inheritdoc/>
    public override string Description => "the kin of a node in a tree";

    /// <inheritdoc/>
    protected override string Setting(int difficulty) => $"{Levels[difficulty - 1]}";

    /// <inheritdoc/>
    public override IReadOnlyList<string> CompactWords { get; } =
        ["tree", "?", ":", ".", .. Relations.Select(relation => relation.Name), .. Enumerable.Range(1, LargestLabel).Select(label => $"{label}")];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Tree, string>> English { get; } =
    [
        p => $"A tree has {p.Labels.Count} numbered nodes; {p.Labels[0]} is the root. Each line gives a node and then its children:\n{p.Families}\n{AskInEnglish(p)} List the numbers, separated by spaces.",
        p => $"These are the nodes of a tree that have children, each with its children behind the colon (the root is {p.Labels[0]}):\n{p.Families}\n{AskInEnglish(p)} The answer is the set of these nodes in any order, with spaces between the numbers.",
    ];

    /// <inheritdoc/>
    protected override IReadOnlyList<Func<Tree, string>> Chinese { get; } =
    [
        p => $"一棵树有 {p.Labels.Count} 个编号的节点，根是 {p.Labels[0]}。每行先写一个节点，冒号后是它的子节点：\n{p.Families}\n{AskInChinese(p)}写出编号，以空格分隔。",
        p => $"下面列出树中所有有子节点的节点及其子节点（根为 {p.Labels[0]}）：\n{p.Families}\n{AskInChinese(p)}答案为这些节点的编号，次序不限，用空格隔开。",
    ];

    /// <inheritdoc/>
    protected override (Tree Puzzle, string Solution) Create(int difficulty, Rng rng)
    {
        var level = Levels[difficulty - 1];
        var labels = rng.Sample(Enumerable.Range(1, LargestLabel), level.Nodes);
        while (true)
        {
            var parents = DrawParents(level.Nodes, rng);
            for (var attempt = 0; attempt < 20; attempt++)
            {
                var relations = Enumerable.Range(0, level.Relations).Select(_ => rng.Pick(Relations)).ToArray();
                var puzzle = new Tree(labels, parents, rng.Below(level.Nodes), relations);
                if (puzzle.Kin.Count is > 0 and <= MostAnswers)
                    return (puzzle, Words.OfSet(puzzle.Kin));
            }
        }
    }

    /// <summary>Each node under an earlier one that has fewer than four children; recent ones are more likely, so that the tree gets deep.</summary>
    private static int[] DrawParents(int count, Rng rng)
    {
        var (parents, children) = (new int[count], new int[count]);
        parents[0] = -1;
        for (var node = 1; node < count; node++)
        {
            do
                parents[node] = Math.Max(rng.Below(node), rng.Below(node));
            while (children[parents[node]] >= 4);
            children[parents[node]]++;
        }
        return parents;
    }

    /// <inheritdoc/>
    protected override string Compact(Tree puzzle) =>
        $"tree {puzzle.Families.Replace(":", " :").Replace("\n", " . ")} ? {string.Join(' ', puzzle.Relations.Select(relation => relation.Name))} {puzzle.Labels[puzzle.Asked]}";

    /// <inheritdoc/>
    protected override Verdict Check(Tree puzzle, string answer) =>
        Words.CheckSet(answer.Trim('{', '}', '[', ']'), puzzle.Kin, [.. puzzle.Labels.Select(label => $"{label}")]);

    /// <inheritdoc/>
    protected override Tree Read(JsonObject data)
    {
        var (labels, parents) = (data.Numbers("labels", 1, LargestLabel), data.Numbers("parents", -1, LargestLabel));
        if (labels.Length < 2 || labels.Distinct().Count() < labels.Length || parents.Length != labels.Length)
            throw new FormatException("The labels are not different, or not one for each node.");
        if (parents[0] != -1 || parents.Index().Skip(1).Any(node => node.Item < 0 || node.Item >= node.Index))
            throw new FormatException("The parents do not make a tree.");
        var relations = data.Texts("relations").Select(name => Array.Find(Relations, relation => relation.Name == name) ?? throw new FormatException($"'{name}' is not a relation.")).ToArray();
        return relations.Length is >= 1 and <= 10
            ? new Tree(labels, parents, data.Number("asked", 0, labels.Length - 1), relations)
            : throw new FormatException("There are not 1 to 10 relations.");
    }

    private static string AskInEnglish(Tree puzzle) =>
        $"Which nodes are {string.Concat(puzzle.Relations.Select(relation => $"the {relation.English} of "))}{puzzle.Labels[puzzle.Asked]}? "
        + "Where several nodes are meant, take the kin of all of them; siblings have the same parent, and cousins are the children of the parent's siblings.";

    private static string AskInChinese(Tree puzzle) =>
        $"求节点 {puzzle.Labels[puzzle.Asked]} {string.Concat(puzzle.Relations.Reverse().Select(relation => $"的{relation.Chinese}"))}。若中间涉及多个节点，则取它们全部亲属的并集；兄弟节点指父节点相同的其他节点。";

    internal sealed record Relation(string Name, string English, string Chinese, Func<Tree, int, IEnumerable<int>> Of);

    /// <summary>A tree, one of its nodes, and the relations that lead from it to the answer.</summary>
    public sealed class Tree : Puzzle
    {
        internal Tree(int[] labels, int[] parents, int asked, Relation[] relations)
        {
            (Labels, Parents, Asked, Relations) = (labels, parents, asked, relations);
            var byParent = Enumerable.Range(1, labels.Length - 1).ToLookup(node => parents[node]);
            Children = [.. Enumerable.Range(0, labels.Length).Select(node => byParent[node].ToArray())];
            int[] kin = [asked];
            foreach (var relation in relations.Reverse())
                kin = [.. kin.SelectMany(node => relation.Of(this, node)).Distinct()];
            Kin = [.. kin.Select(node => labels[node]).Order().Select(label => $"{label}")];
        }

        internal IReadOnlyList<int> Labels { get; }

        /// <summary>The index of each node's parent, which comes before the node; −1 for the root, the first node.</summary>
        internal IReadOnlyList<int> Parents { get; }

        internal IReadOnlyList<int[]> Children { get; }

        /// <summary>The index of the node that is asked about.</summary>
        internal int Asked { get; }

        /// <summary>The last one is that of the asked node itself.</summary>
        internal IReadOnlyList<Relation> Relations { get; }

        /// <summary>The right answer.</summary>
        internal IReadOnlyList<string> Kin { get; }

        /// <summary>A line for each node with children.</summary>
        internal string Families => string.Join('\n', Children.Index().Where(family => family.Item.Length > 0)
            .Select(family => $"{Labels[family.Index]}: {string.Join(' ', family.Item.Select(child => Labels[child]))}"));

        /// <inheritdoc/>
        public override JsonObject ToJson() => new()
        {
            ["labels"] = Labels.ToJsonArray(),
            ["parents"] = Parents.ToJsonArray(),
            ["asked"] = Asked,
            ["relations"] = Relations.Select(relation => relation.Name).ToJsonArray(),
        };

        /// <summary>The nested brackets of the tree, children sorted, the asked node marked.</summary>
        public override string CanonicalForm()
        {
            var forms = new string[Labels.Count];
            for (var node = Labels.Count - 1; node >= 0; node--)
                forms[node] = $"({(node == Asked ? "!" : "")}{string.Concat(Children[node].Select(child => forms[child]).Order(StringComparer.Ordinal))})";
            return $"{forms[0]} {string.Join(',', Relations.Select(relation => relation.Name))}";
        }
    }
}
