package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by the linker when a release is built.
var version = "dev"

type versionCmd struct{}

func (versionCmd) Run(c *console) error {
	v := struct {
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Go       string `json:"go"`
	}{Version: version, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return c.print(v, func(w io.Writer) { fmt.Fprintf(w, "postern %s %s (%s)\n", v.Version, v.Revision, v.Go) })
}
