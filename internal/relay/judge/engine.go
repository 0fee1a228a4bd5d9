package judge

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"postern/internal/mail"
	"postern/internal/metric"
	"postern/internal/relay/scan"
)

// engineBudget is how long one engine may take for one message.
const engineBudget = 60 * time.Second

// askEngines asks all engines side by side and returns their findings in their
// order, never nil. An engine that fails leaves a finding that it could not
// look.
func askEngines(ctx context.Context, engines []scan.Engine, job *Job, origin mail.Origin, log *slog.Logger, count *metric.Set) []mail.Finding {
	ctx, cancel := context.WithTimeoutCause(ctx, engineBudget, scan.ErrBudget)
	defer cancel()
	results := make([]chan []mail.Finding, len(engines))
	for i, e := range engines {
		results[i] = make(chan []mail.Finding, 1)
		go func() {
			found, err := ask1(ctx, e, job, origin)
			result := "ok"
			if err != nil {
				result = "error"
				found = append(found, scan.Blind(e.Name(), err))
				if log != nil {
					log.Warn("engine could not look", "mid", job.ID, "engine", e.Name(), "err", err)
				}
			}
			if count != nil {
				count.Engines.WithLabelValues(e.Name(), result).Inc()
			}
			results[i] <- found
		}()
	}
	found := []mail.Finding{}
	for i := range engines {
		found = append(found, <-results[i]...)
	}
	return found
}

func ask1(ctx context.Context, e scan.Engine, job *Job, origin mail.Origin) (found []mail.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return e.Check(ctx, &job.Envelope, origin, job.Size, job.Open)
}
