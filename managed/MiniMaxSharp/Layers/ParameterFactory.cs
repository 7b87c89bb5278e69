using MiniMaxSharp.Models;

namespace MiniMaxSharp.Layers;

/// <summary>Allocates the parameters that layers ask for by name, and keeps them in that order.</summary>
internal sealed class ParameterFactory(Device device, ElementType type, ExpertStorage experts, IReadOnlyDictionary<string, long[]> shapes)
{
    private readonly List<Parameter> _parameters = [];
    private readonly List<Tensor> _constants = [];

    public IReadOnlyList<Parameter> Parameters => _parameters;

    public IReadOnlyList<Tensor> Constants => _constants;

    public Parameter Create(string name, ElementType? elementType = null) =>
        Add(new Parameter(Tensor.Empty(device, elementType ?? type, shapes[name]), name));

    public Parameter CreateExperts(int count, Func<int, string> name)
    {
        string[] names = [.. Enumerable.Range(0, count).Select(name)];
        long[] shape = [count, .. shapes[names[0]]];
        return Add(experts == ExpertStorage.Int8
            ? new Parameter(Tensor.Empty(device, ElementType.Int8, shape), names) { Scale = Tensor.Empty(device, ElementType.Float32, shape[..^1]) }
            : new Parameter(Tensor.Empty(device, type, shape), names));
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
