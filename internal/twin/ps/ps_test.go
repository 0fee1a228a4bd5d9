package ps

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func runs(t *testing.T, src string, host *Host, params map[string]any) (Result, error) {
	t.Helper()
	s, err := Parse(src)
	if err != nil {
		t.Fatalf("%v in\n%s", err, src)
	}
	if host == nil {
		host = &Host{}
	}
	return s.Run(context.Background(), host, params)
}

// Each case was reasoned from Windows PowerShell's language specification and its
// about_ pages; out is what the script writes, by lines.
func TestTheLanguage(t *testing.T) {
	for _, tt := range []struct{ name, src, out string }{
		{"strings", `$a='x'; "a$a b$($a.Length) ${a}c ` + "`$a" + `"; 'it''s $a'`, "axa"},
		{"arithmetic and precedence", `1 + 2 * 3; (1+2)*3; 7 % 4; 10/4`, "7\n9\n3\n2.5"},
		{"hashtables", `$h=@{A=1; 'b c'=2}; $h.a; $h['b c']; $h.Count; $h.x = 5; $h['X']; $h.Remove('A'); $h.Keys -join ','`, "1\n2\n2\n5\nb c,x"},
		{"arrays unroll", `function F { return @('a') }; $x = F; $x -is [string]; $y = @(F); $y.Count`, "True\n1"},
		{"an empty result is not quite null", `function F { }; $x = F; $null -eq $x; @($x).Count; @($null).Count; (@($x | ForEach-Object { 1 })).Count; (@($null | ForEach-Object { 1 })).Count`, "True\n0\n1\n0\n1"},
		{"comparisons ignore case and filter", `'A' -eq 'a'; 'A' -ceq 'a'; (1,2,3) -gt 1; @('a','b') -contains 'B'; 2 -in 1,2`, "True\nFalse\n2\n3\nTrue\nTrue"},
		{"the left side decides", `1 -eq '1'; '1' -eq 1; $true -eq 'no'; '' -eq $null; $null -eq ''; 0 -eq $null`, "True\nTrue\nTrue\nFalse\nFalse\nFalse"},
		{"logic", `-not $false; !1; $true -and (0 -or 1); @() -or @(0)`, "True\nFalse\nTrue\nFalse"},
		{"if and else", "$x = 3\nif ($x -gt 5) { 'big' } elseif ($x -gt 2) { 'mid' }\nelse { 'small' }\n$y = if ($x) { 'yes' } else { 'no' }; $y", "mid\nyes"},
		{"foreach and while", `foreach ($i in 1..5) { if ($i -eq 2) { continue }; if ($i -eq 4) { break }; $i }; $n=0; while ($n -lt 2) { $n++ }; $n`, "1\n3\n2"},
		{"functions and scopes", `$v='outer'; function F { param($A, [string]$B='d', [switch]$S) $v='inner'; "$A $B $S $v" }; F 1; F -B x -A 2 -S; $v`, "1 d False inner\n2 x True inner\nouter"},
		{"script scope", `$n=0; function Add { $script:n = $n + 1 }; Add; Add; $n`, "2"},
		{"splatting", `function F { param($A,$B) "$A-$B" }; $p=@{A=1;B=2}; F @p; F @p`, "1-2\n1-2"},
		{"pipelines", `1,2,3,4 | Where-Object { $_ % 2 -eq 0 } | ForEach-Object { $_ * 10 }; @(1..9 | Select-Object -First 2) -join ''; (3,1,2 | Sort-Object) -join ''`, "20\n40\n12\n123"},
		{"member enumeration", `$l = @(@{N='a'}, @{N='b'}); ($l.N) -join ','; ($l | Select-Object -ExpandProperty N) -join ','`, "a,b\na,b"},
		{"try and catch", `try { throw 'no' } catch { "caught $($_.Exception.Message) $_" } finally { 'end' }`, "caught no no\nend"},
		{"throw again", `try { try { throw 'x' } catch { throw } } catch { "outer $_" }`, "outer x"},
		{"format", `'{0}-{1:D3}-{{x}}' -f 'a', 7`, "a-007-{x}"},
		{"match and replace", `'abc123' -match '([a-z]+)(\d+)'; $Matches[2]; 'a-b' -replace '-', '+'; 'x.y' -split '\.'; 'Hello' -like 'h*o'`, "True\n123\na+b\nx\ny\nTrue"},
		{"here-strings", "$n='N'\n$s = @\"\na $n\n\"b\"\n\"@\n$s\n@'\n$n 'q'\n'@", "a N\n\"b\"\n$n 'q'"},
		{"casts", `[int]'5' + 1; [string]5 + '1'; ([string[]]@(1,2)) -join '+'; [bool]'x'; ([pscustomobject]@{A=1}).A`, "6\n51\n1+2\nTrue\n1"},
		{"typographic quotes are quotes", "‘a’ + “b”", "ab"},
		{"switch", `switch ('b') { 'a' { 1 } 'B' { 2 } default { 3 } }`, "2"},
		{"continued lines and comments", "1 + `\n 2 # three\n<# block #> 4", "3\n4"},
		{"script blocks", `function Step { param([string]$N,[scriptblock]$B) & $B; "did $N" }; Step 'x' { 'work' }`, "work\ndid x"},
		{"nested data", `$s=@{O=@(@{I='1'; P=@{K='v'}})}; $s.O[0].P.K; $n='K'; $s.O[0].P.$n; $s.O.Count`, "v\nv\n1"},
		{"plus on arrays", `$a=@(); $a += 'x'; $a += @('y','z'); $a.Count; $a += @{q=1}; $a.Count`, "3\n4"},
		{"return leaves a function only", `function F { foreach ($x in 1..3) { if ($x -eq 2) { return $x } }; 'never' }; F; 'after'`, "2\nafter"},
		{"return in ForEach-Object goes on", `1..3 | ForEach-Object { if ($_ -eq 2) { return }; $_ }`, "1\n3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := runs(t, tt.src, nil, nil)
			want := tt.out
			if tt.name == "strings" {
				want = "axa b1 xc $a\nit's $a"
				want = strings.Replace(want, "axa b1", "ax b1", 1)
			}
			if err != nil || strings.TrimSuffix(res.Text, "\n") != want {
				t.Errorf("%v\ngot  %q\nwant %q", err, res.Text, want)
			}
		})
	}
}

func TestJSONStopsAtDepthTwoUnlessTold(t *testing.T) {
	res, err := runs(t, `$d=@{A=@{B=@{C=@{D=1}}}}; $d | ConvertTo-Json -Compress; $d | ConvertTo-Json -Depth 8 -Compress; (('{"x":[1,{"y":null}]}' | ConvertFrom-Json).x[1].PSObject.Properties).Name`, nil, nil)
	want := `{"A":{"B":{"C":"System.Collections.Hashtable"}}}` + "\n" + `{"A":{"B":{"C":{"D":1}}}}` + "\ny\n"
	if err != nil || res.Text != want {
		t.Errorf("%v\n%s", err, res.Text)
	}
}

func TestFilesStayInMemory(t *testing.T) {
	h := &Host{}
	res, err := runs(t, `if (-not (Test-Path -Path $F)) { @{N=1} | ConvertTo-Json | Set-Content -Path $F -Encoding UTF8 }; $o = Get-Content -Path 'STATE.json' -Raw | ConvertFrom-Json; $o.N + 1`, h, nil)
	if err == nil {
		t.Fatal("a null path was taken", res.Text)
	}
	res, err = runs(t, "param([string]$F)\n"+`if (-not (Test-Path -Path $F)) { @{N=1} | ConvertTo-Json | Set-Content -Path $F -Encoding UTF8 }; $o = Get-Content -Path 'STATE.json' -Raw | ConvertFrom-Json; $o.N + 1`, h, map[string]any{"F": "state.json"})
	if err != nil || res.Text != "2\n" || len(h.Files) != 1 {
		t.Error(err, res.Text, h.Files)
	}
}

func TestErrorsOfCmdletsFollowThePreference(t *testing.T) {
	h := &Host{Command: func(_ context.Context, name string, params map[string]any) ([]any, []string, bool, error) {
		if name == "Get-Thing" {
			return nil, []string{"careful"}, true, errors.New("there is no thing")
		}
		return nil, nil, false, nil
	}}
	res, err := runs(t, `$x = Get-Thing -ErrorAction SilentlyContinue; $null -eq $x; Get-Thing; 'on'`, h, nil)
	if err != nil || res.Text != "True\non\n" || !strings.Contains(strings.Join(res.Messages, "|"), "ERROR: there is no thing") {
		t.Error(err, res)
	}
	res, err = runs(t, `$ErrorActionPreference='Stop'; try { Get-Thing } catch { "caught $($_.Exception.Message)" }; Get-Thing; 'on'`, h, nil)
	if err == nil || err.Error() != "there is no thing" || res.Text != "caught there is no thing\n" || res.Exit != 1 {
		t.Error(err, res)
	}
	if _, err = runs(t, `Get-Nonsense`, h, nil); err == nil {
		t.Error("an unknown command was taken")
	}
	if res, err = runs(t, `'a'; exit 3; 'b'`, nil, nil); err != nil || res.Exit != 3 || res.Text != "a\n" {
		t.Error(err, res)
	}
}

func TestWhatDoesNotParse(t *testing.T) {
	for _, src := range []string{`if ($x) {`, `$a = 'open`, `foo (1`, `$h = @{ a = 1`, `"x $(1"`, `@'` + "\nx", `$x = = 1`, `} 1`, `$a 5`} {
		if _, err := Parse(src); err == nil {
			t.Errorf("parsed: %s", src)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"$a = 1", "if (1) { 2 }", "@{a=1;b=@(1,2)}", "Get-X -A 1 | Where-Object { $_.b -eq 'c' }", "\"$(1)\"", "function F { param($x = 1) }"} {
		f.Add(s)
	}
	f.Fuzz(func(_ *testing.T, src string) { Parse(src) })
}
