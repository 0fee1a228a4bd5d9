// Command bench measures Postern beside other relays on this machine, in one run:
// the same sessions, the same messages, the same next hop, one after the other and
// again. README.md says how, and what the figures mean.
package main
