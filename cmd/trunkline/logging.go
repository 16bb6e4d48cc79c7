package main

import (
	"io"
	"log/slog"

	"github.com/trunkline-chat/trunkline/gateway"
	"github.com/trunkline-chat/trunkline/internal/config"
)

// newLogger returns the logger that the configuration asks for. Secrets have
// types that print as ***, so no level shows them; neither does trace.
func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: logLevel(cfg.Level), ReplaceAttr: nameTrace}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// logLevel is a level by its name in the configuration.
func logLevel(name string) slog.Level {
	if name == "trace" {
		return gateway.LevelTrace
	}
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo // config has checked it
	}
	return level
}

// nameTrace calls the level that slog has no name for by ours.
func nameTrace(_ []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey && level == gateway.LevelTrace {
		a.Value = slog.StringValue("TRACE")
	}
	return a
}
