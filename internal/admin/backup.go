package admin

import (
	"context"
	"time"
)

// NoteBackup records that a copy of everything was made, and where it went.
func (a *Admin) NoteBackup(ctx context.Context, file string) error {
	made, err := a.now().UTC().MarshalText()
	if err != nil {
		return err
	}
	if err := a.Store.PutSetting(ctx, "", backupSetting, made); err != nil {
		return err
	}
	return a.note(ctx, "", "backup.write", file, "", "")
}

// NoteRestore records that the store goes on from a backup.
func (a *Admin) NoteRestore(ctx context.Context, madeAt time.Time) error {
	return a.note(ctx, "", "backup.restore", madeAt.UTC().Format(time.RFC3339), "", "")
}
