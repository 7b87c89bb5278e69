namespace MiniMaxSharp.Generator;

/// <summary>What the headers declare: all that the emitter knows of C.</summary>
public sealed record HeaderModel(
    string Hash,
    IReadOnlyList<HeaderConstant> Constants,
    IReadOnlyList<HeaderEnum> Enums,
    IReadOnlyList<HeaderStruct> Structs,
    IReadOnlyList<HeaderFunction> Functions);

/// <summary>A macro with an integer value.</summary>
public sealed record HeaderConstant(string Name, long Value);

/// <summary>An enumeration over int32_t.</summary>
public sealed record HeaderEnum(string Name, IReadOnlyList<(string Name, long Value)> Values);

/// <summary>A struct with clang's own size; opaque ones are not listed.</summary>
public sealed record HeaderStruct(string Name, int Size, IReadOnlyList<HeaderField> Fields);

/// <summary>A field with clang's own offset.</summary>
public sealed record HeaderField(string Name, HeaderType Type, int Offset);

/// <summary>The name of a C type without qualifiers, and how many pointers lead to it.</summary>
public sealed record HeaderType(string Name, int Pointers);

/// <summary>A function with its parameters in order.</summary>
public sealed record HeaderFunction(string Name, HeaderType Returns, IReadOnlyList<(string Name, HeaderType Type)> Parameters);
