package guide

import (
	"fmt"
	"strings"
)

// Text renders steps for a terminal. Secrets are shown only if reveal is set.
func Text(list []Step, reveal bool) string {
	var b strings.Builder
	section := ""
	for _, s := range list {
		if s.Section.String() != section {
			section = s.Section.String()
			fmt.Fprintf(&b, "\n%s\n%s\n", strings.ToUpper(section), s.Where)
		}
		fmt.Fprintf(&b, "\n%s %s  %s\n", mark(s.Status), s.ID, s.Title)
		for _, d := range s.Do {
			fmt.Fprintf(&b, "      %s\n", d)
		}
		for _, v := range s.Values {
			fmt.Fprintf(&b, "      %s: %s\n", v.Label, strings.ReplaceAll(shown(v, reveal), "\n", "\n         "))
		}
		if s.Note.Format != "" {
			fmt.Fprintf(&b, "      Note: %s\n", s.Note)
		}
	}
	return b.String()
}

// Markdown renders steps for a document. Secrets are shown only if reveal is set.
func Markdown(list []Step, reveal bool) string {
	var b strings.Builder
	section := ""
	for _, s := range list {
		if s.Section.String() != section {
			section = s.Section.String()
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", escape(section), escape(s.Where.String()))
		}
		fmt.Fprintf(&b, "\n### %s %s %s\n\n", s.ID, escape(s.Title.String()), mark(s.Status))
		for _, d := range s.Do {
			fmt.Fprintf(&b, "- %s\n", escape(d.String()))
		}
		for _, v := range s.Values {
			fmt.Fprintf(&b, "\n%s:\n\n%s\n", escape(v.Label.String()), fenced(shown(v, reveal)))
		}
		if s.Note.Format != "" {
			fmt.Fprintf(&b, "\n> %s\n", escape(s.Note.String()))
		}
	}
	return b.String()
}

func mark(s Status) string {
	switch s {
	case Done:
		return "[x]"
	case Open:
		return "[ ]"
	}
	return "[-]"
}

func shown(v Value, reveal bool) string {
	if v.Secret && reveal {
		return v.plain
	}
	return v.Text
}

// fenced is a code block that no value can end.
func fenced(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + text + "\n" + fence
}

var escapes = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "[", `\[`, "]", `\]`, "\n", " ")

func escape(s string) string { return escapes.Replace(s) }
