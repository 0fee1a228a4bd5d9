package judge

import (
	"postern/internal/relay/scan"
	"postern/internal/relay/scan/attachment"
	"postern/internal/relay/scan/content"
	"postern/internal/relay/scan/link"
	"postern/internal/relay/scan/lookalike"
	"postern/internal/relay/scan/macro"
	"postern/internal/relay/scan/sender"
	"postern/internal/relay/scan/signature"
)

// Scanners is every scanner there is; one that is not named here does not run.
func Scanners() []scan.Scanner {
	return []scan.Scanner{
		&signature.Scanner{},
		&attachment.Scanner{},
		&macro.Scanner{},
		&sender.Scanner{},
		&lookalike.Scanner{},
		&link.Scanner{},
		content.New(),
	}
}
