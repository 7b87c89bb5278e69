namespace MiniMaxSharp.Layers;

/// <summary>Allocates the parameters that layers ask for by name, and keeps them in that order.</summary>
internal sealed class ParameterFactory(Device device, ElementType type, IReadOnlyDictionary<string, long[]> shapes)
{
    private readonly List<Parameter> _parameters = [];
    private readonly List<Tensor> _constants = [];

    public IReadOnlyList<Parameter> Parameters => _parameters;

    public IReadOnlyList<Tensor> Constants => _constants;

    public Parameter Create(string name, ElementType? elementType = null) =>
        Add(new Parameter(Tensor.Empty(device, elementType ?? type, shapes[name]), name));

    public Parameter CreateStack(int count, Func<int, string> name)
    {
        string[] names = [.. Enumerable.Range(0, count).Select(name)];
        return Add(new Parameter(Tensor.Empty(device, type, [count, .. shapes[names[0]]]), names));
    }

    public Tensor Constant(Tensor tensor)
    {
        _constants.Add(tensor);
        return tensor;
    }

    private Parameter Add(Parameter parameter)
    {
        _parameters.Add(parameter);
        return parameter;
    }
}
