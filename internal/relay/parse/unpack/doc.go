// Package unpack opens archives and compressed files one level at a time, within a
// budget that the caller shares out over a whole message. Nothing is written
// anywhere and names of members are only ever text. Libraries that panic on broken
// input are fenced in; what could not be opened is an error beside the members that
// could.
package unpack
