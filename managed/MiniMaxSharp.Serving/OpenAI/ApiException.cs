namespace MiniMaxSharp.Serving.OpenAI;

/// <summary>An answer other than 200, as OpenAI's clients expect it.</summary>
internal sealed class ApiException(int status, string message, string? parameter = null, string? code = null) : Exception(message)
{
    public int Status => status;

    /// <summary>Seconds after which it is worth trying again.</summary>
    public int? RetryAfter { get; init; }

    public ErrorBody Body => new(new ErrorDetail(Message, TypeOf(status), parameter, code));

    public static ApiException BadRequest(string message, string? parameter = null, string? code = null) => new(400, message, parameter, code);

    private static string TypeOf(int status) => status switch
    {
        401 or 403 => "authentication_error",
        429 => "rate_limit_error",
        504 => "timeout_error",
        >= 500 => "server_error",
        _ => "invalid_request_error",
    };
}
