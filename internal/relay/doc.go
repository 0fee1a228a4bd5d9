// Package relay carries one message through the house: Accept until the 250,
// Process after it, Release when a person sends a held message on. The rooms
// below it (ingress, admit, judge, policy, deliver …) do not know each other;
// here they meet.
package relay
