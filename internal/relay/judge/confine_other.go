//go:build !linux || !(amd64 || arm64)

package judge

import "os"

func confine(int64) []string {
	return []string{"Judge workers are not confined on this system: it is no Linux on amd64 or arm64."}
}

func grow(*os.File) {}
