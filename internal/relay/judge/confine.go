package judge

// Confine takes from this process, for ever, what reading a hostile message does
// not need: files, the network, other processes, and memory beyond so many octets.
// It returns a sentence for each wall that the kernel cannot build.
func Confine(memory int64) (warnings []string) {
	tune(memory)
	return confine(memory)
}
