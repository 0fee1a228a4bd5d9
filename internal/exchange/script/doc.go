// Package script writes the set-up of a tenant as one self-contained PowerShell
// script, for administrators who do not want to connect Postern to Exchange. It
// runs in Windows PowerShell 5.1 and in PowerShell 7, applies, verifies and rolls
// back, keeps what was there before in a state file, and prints a JSON report that
// Postern imports.
//
// The script uses few constructs, so that it can be read, checked without
// PowerShell, and compared with what the API does. Every value stands in single
// quotes; a value that could break out of them is refused.
package script
