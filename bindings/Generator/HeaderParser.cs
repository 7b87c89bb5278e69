using CppSharp;
using CppSharp.AST;
using CppSharp.AST.Extensions;

namespace MiniMaxSharp.Generator;

/// <summary>Reads the headers with CppSharp's clang, as C++, and keeps what the emitter needs.</summary>
internal static class HeaderParser
{
    public static HeaderModel Parse(string header)
    {
        string path = Path.GetFullPath(header), folder = Path.GetDirectoryName(path)!;
        var options = new DriverOptions { GeneratorKind = CppSharp.Generators.GeneratorKind.CSharp, Quiet = true };
        Module module = options.AddModule("minimax");
        module.IncludeDirs.Add(folder);
        module.Headers.Add(Path.GetFileName(path));
        using var driver = new Driver(options);
        driver.Setup();
        driver.ParserOptions.AddIncludeDirs(folder);
        driver.ParserOptions.SetupLinux();
        if (!driver.ParseCode())
        {
            throw new InvalidOperationException($"clang cannot parse {path}.");
        }

        TranslationUnit[] units =
        [
            .. driver.Context.ASTContext.TranslationUnits
                .Where(u => u.IsValid && Path.GetDirectoryName(Path.GetFullPath(u.FilePath)) == folder)
                .OrderBy(u => u.FileName, StringComparer.Ordinal),
        ];
        return new HeaderModel(
            HeaderHash.Of(folder),
            [.. units.SelectMany(u => u.PreprocessedEntities.OfType<MacroDefinition>()).SelectMany(Constant)],
            [.. units.SelectMany(u => All(u).SelectMany(c => c.Enums)).Select(e => new HeaderEnum(e.Name, [.. e.Items.Select(i => (i.Name, (long)(int)i.Value))]))],
            [.. units.SelectMany(u => All(u).SelectMany(c => c.Classes)).Where(c => !c.IsIncomplete).Select(Struct)],
            [.. units.SelectMany(u => All(u).SelectMany(c => c.Functions)).Select(Function)]);
    }

    // Declarations stand in extern "C" blocks, which CppSharp may show as contexts of their own.
    private static IEnumerable<DeclarationContext> All(DeclarationContext context) =>
        context.Namespaces.SelectMany(All).Prepend(context);

    private static IEnumerable<HeaderConstant> Constant(MacroDefinition macro) =>
        macro.Name.StartsWith("MM_", StringComparison.Ordinal) && long.TryParse(macro.Expression.Trim('(', ')', ' '), out long value)
            ? [new HeaderConstant(macro.Name, value)]
            : [];

    private static HeaderStruct Struct(Class type) => new(
        type.Name,
        type.Layout.Size,
        [.. type.Fields.Select(f => new HeaderField(f.Name, TypeOf(f.Type), (int)type.Layout.Fields.First(l => l.Name == f.Name).Offset))]);

    private static HeaderFunction Function(Function function) => new(
        function.Name, TypeOf(function.ReturnType.Type), [.. function.Parameters.Select(p => (p.Name, TypeOf(p.Type)))]);

    private static HeaderType TypeOf(CppSharp.AST.Type type)
    {
        int pointers = 0;
        for (; type is PointerType pointer; type = pointer.Pointee)
        {
            pointers++;
        }

        return new HeaderType(Name(type), pointers);
    }

    private static string Name(CppSharp.AST.Type type) => type switch
    {
        TypedefType typedef => typedef.Declaration.Name,
        TagType tag => tag.Declaration.Name,
        BuiltinType builtin => builtin.Type switch
        {
            PrimitiveType.Void => "void",
            PrimitiveType.Char => "char",
            PrimitiveType.Float => "float",
            PrimitiveType.Double => "double",
            PrimitiveType other => throw new InvalidOperationException($"The headers use {other}, which has no fixed size."),
        },
        _ => throw new InvalidOperationException($"The headers use {type}, which has no place in the ABI."),
    };
}
