package spool

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"postern/internal/mail"
)

// partSize is what one Put holds in memory; S3 takes no smaller parts than 5 MiB,
// and at most 10,000 of them.
const partSize = 5 << 20

// BucketOptions say where an S3-compatible bucket is. The bucket must exist.
type BucketOptions struct {
	Endpoint  string // host[:port]
	Bucket    string
	Prefix    string // of every object's name, "postern/"
	Region    string // "us-east-1" if the service has none
	AccessKey string
	SecretKey string
	Plain     bool              // HTTP without TLS; for a service on a trusted wire
	Transport http.RoundTripper // minio's default if nil
}

type bucket struct {
	client       *minio.Client
	name, prefix string
}

// Bucket opens a spool in a bucket and makes sure that it can be reached. What the
// service acknowledged counts as kept.
func Bucket(ctx context.Context, o BucketOptions) (*Spool, error) {
	client, err := minio.New(o.Endpoint, &minio.Options{
		Creds:     credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure:    !o.Plain,
		Region:    o.Region,
		Transport: o.Transport,
	})
	if err != nil {
		return nil, fmt.Errorf("spool bucket %s: %w", o.Bucket, err)
	}
	ok, err := client.BucketExists(ctx, o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("spool bucket %s at %s cannot be reached: %w", o.Bucket, o.Endpoint, err)
	}
	if !ok {
		return nil, fmt.Errorf("spool bucket %s does not exist at %s: create it there first", o.Bucket, o.Endpoint)
	}
	return &Spool{at: &bucket{client: client, name: o.Bucket, prefix: o.Prefix}}, nil
}

func (b *bucket) put(ctx context.Context, id mail.ID, r io.Reader) (int64, error) {
	_, err := b.client.StatObject(ctx, b.name, b.prefix+string(id), minio.StatObjectOptions{})
	if err == nil {
		return 0, ErrExists
	}
	if !absent(err) {
		return 0, err
	}
	info, err := b.client.PutObject(ctx, b.name, b.prefix+string(id), while{ctx, r}, -1, minio.PutObjectOptions{
		ContentType: "application/octet-stream",
		PartSize:    partSize,
		NumThreads:  1,
		// The service compares the MD5 of each part; signing the payload besides would
		// only add a framing that not every service understands.
		SendContentMd5:       true,
		DisableContentSha256: true,
	})
	return info.Size, err
}

func (b *bucket) open(ctx context.Context, id mail.ID) (io.ReadCloser, error) {
	o, err := b.client.GetObject(ctx, b.name, b.prefix+string(id), minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := o.Stat(); err != nil { // GetObject asks nobody yet
		o.Close()
		if absent(err) {
			return nil, ErrNotFound
		}
		return nil, err
	}
	return o, nil
}

func (b *bucket) size(ctx context.Context, id mail.ID) (int64, error) {
	info, err := b.client.StatObject(ctx, b.name, b.prefix+string(id), minio.StatObjectOptions{})
	if err != nil && absent(err) {
		return 0, ErrNotFound
	}
	return info.Size, err
}

func absent(err error) bool { return minio.ToErrorResponse(err).StatusCode == http.StatusNotFound }

func (b *bucket) delete(ctx context.Context, id mail.ID) error {
	err := b.client.RemoveObject(ctx, b.name, b.prefix+string(id), minio.RemoveObjectOptions{})
	if err != nil && absent(err) {
		return nil
	}
	return err
}

func (b *bucket) list(ctx context.Context, fn func(id mail.ID, modified time.Time) error) error {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when fn does
	defer cancel()
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix, Recursive: true}) {
		if o.Err != nil {
			return o.Err
		}
		id := mail.ID(strings.TrimPrefix(o.Key, b.prefix))
		if !id.Valid() {
			continue
		}
		if err := fn(id, o.LastModified); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (b *bucket) free(context.Context) (uint64, error) { return math.MaxUint64, nil }
