using MiniMaxSharp.Generator;

// dotnet run --project bindings/Generator -p:WithCppSharp=true -- native/include/minimax/minimax.h
if (args.Length != 1 || !File.Exists(args[0]))
{
    Console.Error.WriteLine("usage: Generator HEADER (native/include/minimax/minimax.h)");
    return 2;
}

#if CPPSHARP
HeaderModel model;
try
{
    model = HeaderParser.Parse(args[0]);
}
catch (InvalidOperationException error)
{
    Console.Error.WriteLine(error.Message);
    return 1;
}

string root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(args[0]))!, "..", "..", ".."));
Write(Path.Combine(root, "bindings", "MiniMaxSharp.Native", "Generated", "NativeMethods.g.cs"), Emitter.CSharp(model));
Write(Path.Combine(root, "native", "abi", "abi_json.g.c"), Emitter.AbiProgram(model));
Console.WriteLine($"{model.Functions.Count} functions, {model.Structs.Count} structs, {model.Enums.Count} enums");
return 0;

static void Write(string path, string text)
{
    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
    File.WriteAllText(path, text);
}
#else
Console.Error.WriteLine("This generator was built without its parser. Build it with -p:WithCppSharp=true, which needs the package CppSharp.");
return 2;
#endif
