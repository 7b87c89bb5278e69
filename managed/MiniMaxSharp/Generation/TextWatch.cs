using System.Text;
using MiniMaxSharp.Tokenization;

namespace MiniMaxSharp.Generation;

/// <summary>The text of an answer as it grows: holds back what may become a stop string, and keeps count of thinking.</summary>
internal sealed class TextWatch
{
    private readonly Tokenizer _tokenizer;
    private readonly GenerationOptions _options;
    private readonly StreamingDecoder _decoder;
    private readonly StringBuilder _heldBack = new();
    private readonly StringBuilder _thinking = new();
    private bool _open;
    private bool _closed;
    private int _thinkingTokens;

    public TextWatch(Tokenizer tokenizer, GenerationOptions options, ReadOnlySpan<int> prompt)
    {
        _tokenizer = tokenizer;
        _options = options;
        _decoder = tokenizer.CreateStreamingDecoder(skipSpecialTokens: true);
        _closed = options.ThinkingBudget is null;
        // A template may open thinking at the prompt's end.
        _open = !_closed && tokenizer.Decode(Known(prompt[Math.Max(0, prompt.Length - 16)..])).TrimEnd().EndsWith(ThinkingBudget.Open, StringComparison.Ordinal);
    }

    /// <summary>Whether a stop string came.</summary>
    public bool Stopped { get; private set; }

    /// <summary>The text that this token makes certain; fills <paramref name="injections"/> when thinking has used up its budget.</summary>
    public string Append(int token, bool injected, Queue<int> injections)
    {
        string text = _tokenizer.IdToToken(token) is null ? "" : _decoder.Append(token);
        if (!_closed)
        {
            CountThinking(text, injected, injections);
        }

        return Release(text);
    }

    /// <summary>What was held back and will not become a stop string any more.</summary>
    public string Flush()
    {
        if (Stopped)
        {
            return "";
        }

        string rest = _heldBack.Append(_decoder.Flush()).ToString();
        _heldBack.Clear();
        return rest;
    }

    // A model may have more rows than the tokenizer has tokens: what it says with one of those is no text.
    private int[] Known(ReadOnlySpan<int> ids) => [.. ids.ToArray().Where(id => _tokenizer.IdToToken(id) is not null)];

    private string Release(string text)
    {
        if (_options.StopStrings.Count == 0)
        {
            return text;
        }

        _heldBack.Append(text);
        string all = _heldBack.ToString();
        int stop = _options.StopStrings.Select(s => all.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).DefaultIfEmpty(-1).Min();
        if (stop >= 0)
        {
            Stopped = true;
            return all[..stop];
        }

        int keep = _options.StopStrings.Max(s => Overlap(all, s));
        _heldBack.Clear().Append(all, all.Length - keep, keep);
        return all[..^keep];
    }

    // The longest end of the text that begins the stop string.
    private static int Overlap(string text, string stop)
    {
        for (int length = Math.Min(text.Length, stop.Length - 1); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
            {
                return length;
            }
        }

        return 0;
    }

    private void CountThinking(string text, bool injected, Queue<int> injections)
    {
        _thinking.Append(text);
        string all = _thinking.ToString();
        if (!_open)
        {
            string start = all.TrimStart();
            _open = start.StartsWith(ThinkingBudget.Open, StringComparison.Ordinal);
            _closed = !_open && !ThinkingBudget.Open.StartsWith(start, StringComparison.Ordinal);
        }
        else if (!injected)
        {
            _thinkingTokens++;
        }

        if (!_open)
        {
            return;
        }

        if (all.Contains(ThinkingBudget.Close, StringComparison.Ordinal))
        {
            _closed = true;
        }
        else if (_thinkingTokens >= _options.ThinkingBudget!.MaxTokens && injections.Count == 0 && !injected)
        {
            foreach (int id in _tokenizer.Encode(_options.ThinkingBudget.Injection))
            {
                injections.Enqueue(id);
            }
        }

        // Only an end that may hold the beginning of the closing tag is looked at again.
        if (_open && _thinking.Length > 2 * ThinkingBudget.Close.Length)
        {
            _thinking.Remove(0, _thinking.Length - ThinkingBudget.Close.Length);
        }
    }
}
