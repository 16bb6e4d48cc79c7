package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Source is where a configuration and its secrets come from.
type Source struct {
	Name     string                       // how mistakes call it
	Text     []byte                       // the TOML document
	Env      func(name string) string     // CREDENTIALS_DIRECTORY is asked for
	ReadFile func(string) ([]byte, error) // reads secret files; os.ReadFile when nil
}

// Load reads the configuration file at path; env is os.Getenv or a double. Other
// than Parse it looks at this machine too: at the folder of the database, at the
// certificates and at who may read the secrets.
//
// The error is Mistakes when the file could be read and is not right, and wraps
// the system's error when it could not be read.
func Load(path string, env func(string) string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	r := newReader(Source{Name: path, Text: text, Env: env})
	cfg := r.read()
	r.checkFolder(cfg)
	r.checkFiles(cfg)
	r.warnOfOpenFiles(path)
	return r.result(cfg)
}

// Parse reads a configuration from src. The error is Mistakes.
func Parse(src Source) (*Config, error) {
	r := newReader(src)
	return r.result(r.read())
}

func newReader(src Source) *reader {
	if src.ReadFile == nil {
		src.ReadFile = os.ReadFile
	}
	if src.Env == nil {
		src.Env = func(string) string { return "" }
	}
	return &reader{src: src, lines: map[string]int{}, files: map[string]string{}, bad: map[string]bool{}, writable: writable}
}

func (r *reader) read() *Config {
	cfg := r.decode()
	if !r.broken {
		r.readSecrets(cfg)
		r.check(cfg)
	}
	return cfg
}

// result is what Load and Parse return.
func (r *reader) result(cfg *Config) (*Config, error) {
	if len(r.mistakes) > 0 {
		return nil, r.mistakes.sorted()
	}
	cfg.Warnings = r.warnings.sorted()
	return cfg, nil
}

// reader collects what is found in one source.
type reader struct {
	src      Source
	doc      map[string]any
	lines    map[string]int    // "server.listen" → line
	files    map[string]string // "secrets.token_key" → the file that its value stands in
	bad      map[string]bool   // keys that a mistake was noted for
	mistakes Mistakes
	warnings Mistakes
	broken   bool // not TOML at all

	writable func(path string) error // nil: this process may write there
}

// mistake notes one mistake of a key; later checks leave that key alone.
func (r *reader) mistake(key, problem, advice string) {
	r.bad[key] = true
	line := r.lines[key]
	if file, ok := r.files[key]; ok {
		line, problem = r.lines[key+"_file"], "in "+file+" "+problem
	}
	r.mistakes = append(r.mistakes, Mistake{r.src.Name, line, key, problem, advice})
}

func (r *reader) warn(key, problem, advice string) {
	r.warnings = append(r.warnings, Mistake{r.src.Name, r.lines[key], key, problem, advice})
}

// readSecrets fills in the secrets that are not written in the document itself:
// from KEY_file, else from systemd's credentials.
func (r *reader) readSecrets(cfg *Config) {
	for name, value := range fields(reflect.ValueOf(&cfg.Secrets).Elem(), isOneSecret) {
		dst := value.Addr().Interface().(*Secret)
		if text, ok := r.secretText(name, !dst.IsZero()); ok {
			*dst = Secret{strings.TrimSpace(text)}
		}
	}
	if text, ok := r.secretText("data_keys", len(cfg.Secrets.DataKeys) > 0); ok {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				cfg.Secrets.DataKeys = append(cfg.Secrets.DataKeys, Secret{line})
			}
		}
	}
}

func isOneSecret(f reflect.StructField) bool { return f.Type == reflect.TypeFor[Secret]() }

// secretText finds the text of a secret outside the document. ok is false when
// the secret is inline, or when there is none, or when a mistake was noted.
func (r *reader) secretText(name string, inline bool) (text string, ok bool) {
	key := "secrets." + name
	section, _ := r.doc["secrets"].(map[string]any)
	path, _ := section[name+"_file"].(string)
	switch {
	case r.bad[key] || r.bad[key+"_file"]:
		r.bad[key] = true
		return "", false
	case inline && path != "":
		r.mistake(key, "is set twice, here and as "+name+"_file", "keep one of the two")
		return "", false
	case inline:
		return "", false
	case path != "":
		b, err := r.src.ReadFile(path)
		if err != nil {
			r.mistake(key+"_file", "cannot be read: "+cause(err), "make the file, readable for Trunkline's user only")
			r.bad[key] = true
			return "", false
		}
		return r.nonEmpty(key, path, b)
	}
	dir := r.src.Env("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return "", false
	}
	path = filepath.Join(dir, name)
	b, err := r.src.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	if err != nil {
		r.mistake(key, "cannot be read from systemd's credential: "+cause(err), "see LoadCredential= in the unit")
		return "", false
	}
	return r.nonEmpty(key, path, b)
}

// nonEmpty refuses an empty secret file by its own name rather than as missing.
// Mistakes of the key name that file from here on.
func (r *reader) nonEmpty(key, path string, b []byte) (string, bool) {
	r.files[key] = path
	if len(bytes.TrimSpace(b)) == 0 {
		advice := "fill it with: trunkline config secret > " + path
		if from, ok := foreign[key]; ok {
			advice = from
		}
		r.mistake(key, "is empty", advice)
		return "", false
	}
	return string(b), true
}

// cause returns what the system said, without the path that the caller names.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Path + ": " + pe.Err.Error()
	}
	return err.Error()
}

// warnOfOpenFiles warns of files with secrets in them that everybody on the
// machine may read, once of each. path is the file of the configuration itself.
func (r *reader) warnOfOpenFiles(path string) {
	section, _ := r.doc["secrets"].(map[string]any)
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(section)) {
		file, key, problem := path, "secrets", "are in a file that everybody on this machine may read"
		if strings.HasSuffix(name, "_file") {
			file, _ = section[name].(string)
			key, problem = "secrets."+name, "is a secret in a file that everybody on this machine may read"
		}
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o004 != 0 && !seen[file] {
			seen[file] = true
			r.warn(key, problem, "take that right away: chmod o-rwx "+file)
		}
	}
}
