package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestSentencesAreSaidAndKept(t *testing.T) {
	closed := errors.New("connection refused.")
	mta := Refuse("port %q is not a number from 1 to 65535", "x")
	for _, tt := range []struct {
		name string
		s    Sentence
		want string
	}{
		{"without values a percent sign is one", Say("100 % of it."), "100 % of it."},
		{"values of several sorts", Say("%d of %d, %.1f %%: %s", 3, 4, 75.0, "x"), "3 of 4, 75.0 %: x"},
		{"an error ends no sentence twice", Say("It was not reached: %s.", closed), "It was not reached: connection refused."},
		{"an error that is written for a person", Say("It is not right: %s.", fmt.Errorf("form: %w", mta)), `It is not right: Port "x" is not a number from 1 to 65535.`},
		{"sentences behind one another", Together(Say("One %s.", "a"), Sentence{}, Say("Two.")), "One a. Two."},
		{"a moment and a day", Say("From %s to %s.", time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC), Day(time.Date(2026, 12, 1, 3, 4, 5, 0, time.UTC))), "From 22 November 2026, 03:04 UTC to 1 December 2026."},
		{"an empty one", Sentence{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.String(); got != tt.want {
				t.Errorf("says %q, want %q", got, tt.want)
			}
			b, err := json.Marshal(Kept{tt.s})
			if err != nil {
				t.Fatal(err)
			}
			var back Kept
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			if got := back.String(); got != tt.want || back.Format != tt.s.Format {
				t.Errorf("kept as %s it says %q, want %q", b, got, tt.want)
			}
		})
	}
}

func TestARefusalIsAnErrorAndASentence(t *testing.T) {
	err := Refuse("MTA %q: %w", "h:x", Refuse("port %q is not a number", "x"))
	if got, want := err.Error(), `MTA "h:x": port "x" is not a number`; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
	if got, want := Told(err).String(), `MTA "h:x": Port "x" is not a number.`; got != want {
		t.Errorf("it is told as %q, want %q", got, want)
	}
	if Told(err).Format != "MTA %q: %s." {
		t.Errorf("its code is %q", Told(err).Format)
	}
	known := Refuse("this is not right")
	if !errors.Is(fmt.Errorf("sign in: %w", known), known) {
		t.Error("a refusal cannot be recognised")
	}
	if got := Told(errors.New("disk full")).String(); got != "Disk full." {
		t.Errorf("an error of others is told as %q", got)
	}
}
