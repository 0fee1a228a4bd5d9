package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const keySize = 32 // octets of the root and of every key below it

// ErrSealed means that octets do not open: they were changed or cut, belong to
// another message, part or tenant, or their key is gone.
var ErrSealed = errors.New("sealed content does not open: damaged, not of this message, or its key is gone")

// Root is the key above all others. It is safe for concurrent use.
type Root struct {
	key  [keySize]byte
	wrap cipher.AEAD // seals tenant keys
}

// Open reads the root key at path and makes it if there is no such file, synced
// and with mode 0400, in a folder that must exist. A file of another size, or one
// that others than its owner may touch, is an error.
func Open(path string) (*Root, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = createKey(path); err != nil {
			return nil, fmt.Errorf("create root key: %w", err)
		}
		key, err = readKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	r := &Root{key: key}
	w := r.Derive("wrap tenant key")
	r.wrap = randomGCM(w[:])
	return r, nil
}

func readKey(path string) (key [keySize]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return key, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return key, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return key, fmt.Errorf("%s may be read by others than its owner: run chmod 400 %s", path, path)
	}
	if !info.Mode().IsRegular() || info.Size() != keySize {
		return key, fmt.Errorf("%s is not a root key (a file of %d octets): restore it from its backup; without it sealed content stays unreadable", path, keySize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return key, err
	}
	if copy(key[:], b) != keySize {
		return key, fmt.Errorf("%s changed while it was read", path)
	}
	return key, nil
}

// createKey never leaves half a key: the file gets its name when it is whole and
// synced. If another process was faster, its key stands.
func createKey(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".root-key-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	key := make([]byte, keySize)
	rand.Read(key)
	if _, err := f.Write(key); err != nil {
		return err
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(dir) // a synced file can still lose its name until its folder is synced too
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Derive is the key for one use, named by label; the same label gives the same
// key for as long as the root lives. Labels are constants of ours, never input.
func (r *Root) Derive(label string) [keySize]byte {
	return [keySize]byte(derive(r.key[:], nil, "postern root\x00"+label))
}

// NewTenantKey makes a tenant's key. Only wrapped may be stored.
func (r *Root) NewTenantKey() (wrapped []byte, k TenantKey, err error) {
	if _, err := rand.Read(k.key[:]); err != nil {
		return nil, TenantKey{}, fmt.Errorf("new tenant key: %w", err)
	}
	return r.wrap.Seal([]byte{formatWrap}, nil, k.key[:], []byte("postern tenant key\x00\x01")), k, nil
}

// Unwrap opens what NewTenantKey returned. The error is ErrSealed.
func (r *Root) Unwrap(wrapped []byte) (TenantKey, error) {
	if len(wrapped) == 0 || wrapped[0] != formatWrap {
		return TenantKey{}, fmt.Errorf("tenant key: %w", ErrSealed)
	}
	b, err := r.wrap.Open(nil, nil, wrapped[1:], []byte("postern tenant key\x00\x01"))
	if err != nil || len(b) != keySize {
		return TenantKey{}, fmt.Errorf("tenant key: %w", ErrSealed)
	}
	return TenantKey{key: [keySize]byte(b)}, nil
}

// derive cannot fail: the length is far below HKDF's limit (RFC 5869 §2.3).
func derive(key, salt []byte, info string) []byte {
	b, err := hkdf.Key(sha256.New, key, salt, info, keySize)
	if err != nil {
		panic(err)
	}
	return b
}

// randomGCM is AES-256-GCM that draws and prepends its own nonce. Keys have 32
// octets, so neither step can fail.
func randomGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}
