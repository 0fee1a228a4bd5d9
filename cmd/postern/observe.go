package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"postern/internal/relay"
	"postern/internal/webhook"
)

// newHooks builds the webhooks' sender, nil if none is configured.
func newHooks(o *opened) (*webhook.Sender, error) {
	if len(o.conf.Webhooks) == 0 {
		return nil, nil
	}
	s := &webhook.Sender{Log: o.log}
	for i, h := range o.conf.Webhooks {
		secret, err := readSecret(fmt.Sprintf("webhooks[%d].secret_file", i), h.SecretFile)
		if err != nil {
			return nil, err
		}
		e := webhook.Endpoint{URL: h.URL, Secret: []byte(secret), Events: h.Events, Private: h.AllowPrivate}
		if err := e.Check(); err != nil {
			return nil, fmt.Errorf("webhooks[%d]: %w", i, err)
		}
		s.Endpoints = append(s.Endpoints, e)
	}
	return s, nil
}

func (t *TracesConfig) check() error {
	if t.Sample < 0 || t.Sample > 1 {
		return fmt.Errorf("traces.sample %v is no share between 0 and 1", t.Sample)
	}
	if t.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("traces.endpoint %q is not an address such as http://127.0.0.1:4318", t.Endpoint)
	}
	return nil
}

// tracesPath is where collectors take traces when no path is named (OTLP/HTTP).
const tracesPath = "/v1/traces"

// newTraces builds the tracer, nil if none is configured. stop sends what waits.
func newTraces(ctx context.Context, conf *Config, log *slog.Logger) (tracer trace.Tracer, stop func(context.Context) error, err error) {
	if conf.Traces.Endpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	u, err := url.Parse(conf.Traces.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = tracesPath
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithTimeout(10*time.Second))
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces could not be sent", "err", err) }))
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter), // in the background; what does not fit is dropped, mail never waits
		sdk.WithIDGenerator(relay.TraceIDs{}),
		sdk.WithSampler(sdk.TraceIDRatioBased(conf.Traces.Sample)), // by the id alone, so that all parts of a message agree
		sdk.WithResource(resource.NewSchemaless(
			semconv.ServiceName("postern"), semconv.ServiceVersion(version), semconv.ServiceInstanceID(conf.Hostname))),
	)
	return provider.Tracer("postern"), provider.Shutdown, nil
}
