// Package quarantine keeps what is held for as long as it is to be kept and no
// longer. Who may see and release it is decided elsewhere.
package quarantine
