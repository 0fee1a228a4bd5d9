// Package archtest holds the house's floors as a test: which package may import
// which. It has no code of its own.
package archtest
