// Package ps runs scripts in the part of the PowerShell language that a generated
// set-up script needs: assignments, hashtables and arrays, strings and here-strings
// with expansion, if, foreach, while, try, functions, splatting, pipelines to the
// usual small cmdlets, files that exist only in memory. Everything else it meets is
// an error, never a guess. A script is parsed into a tree first; what it calls
// besides that goes to the Host, where the twin's cmdlets are.
//
// It follows Windows PowerShell 5.1 in what such scripts stumble over: arrays that
// unroll, comparisons that ignore case and filter arrays, ConvertTo-Json that stops
// at depth 2, a pipeline without output that is not quite $null, typographic quotes
// that count as quotes.
package ps
