package main

import (
	"io"
	"log/slog"

	"github.com/trunkline-chat/trunkline/internal/config"
)

// newLogger returns the logger that the configuration asks for. Secrets have
// types that print as ***, so no level shows them.
func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo // config has checked it
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
