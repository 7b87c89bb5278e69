using System.Globalization;
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
        if (Directory.GetFiles(folder, "*.h").Select(Path.GetFileName).Except(units.Select(u => u.FileName)).FirstOrDefault() is { } unseen)
        {
            throw new InvalidOperationException($"{unseen} is not included by {path}: its functions would not be bound.");
        }

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

    // Guards and MM_API have no number.
    private static IEnumerable<HeaderConstant> Constant(MacroDefinition macro)
    {
        string value = macro.Expression.Trim('(', ')', ' ');
        if (!macro.Name.StartsWith("MM_", StringComparison.Ordinal) || !value.TrimStart('-').StartsWithDigit())
        {
            return [];
        }

        return int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? [new HeaderConstant(macro.Name, number)]
            : throw new InvalidOperationException($"{macro.Name} is {macro.Expression}; constants are decimal numbers of 32 bits.");
    }

    private static bool StartsWithDigit(this string text) => text.Length > 0 && char.IsAsciiDigit(text[0]);

    private static HeaderStruct Struct(Class type) => new(
        type.Name,
        type.Layout.Size,
        [.. type.Fields.Select(f => new HeaderField(Named(f.Name, type.Name), FieldType(f, type), (int)type.Layout.Fields.First(l => l.Name == f.Name).Offset))]);

    private static HeaderType FieldType(Field field, Class type) => field.IsBitField
        ? throw new InvalidOperationException($"{type.Name}.{field.Name} is a bit field, which has no place in the ABI.")
        : TypeOf(field.Type);

    private static HeaderFunction Function(Function function) => function.IsVariadic || function.IsInline
        ? throw new InvalidOperationException($"{function.Name} is variadic or inline, which has no place in the ABI.")
        : new(function.Name, TypeOf(function.ReturnType.Type), [.. function.Parameters.Select(p => (Named(p.Name, function.Name), TypeOf(p.Type)))]);

    private static string Named(string name, string owner) =>
        name.Length > 0 ? name : throw new InvalidOperationException($"{owner} has a parameter or field without a name.");

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
        _ => throw new InvalidOperationException($"The headers use a {type.GetType().Name}, which has no place in the ABI."),
    };
}
