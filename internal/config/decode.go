package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// decode reads the document into a Config with its defaults. The library's own
// decoding into a struct stops at the first mistake; an admin wants all of
// them, so the document is read into a map and compared with the struct here.
func (r *reader) decode() *Config {
	cfg := &Config{}
	r.parse()
	if r.broken {
		return cfg
	}
	root := reflect.ValueOf(cfg).Elem()
	known := []string{}
	for section, value := range sections(root) {
		known = append(known, section)
		table, ok := r.doc[section].(map[string]any)
		if _, present := r.doc[section]; present && !ok {
			r.mistake(section, "is not a section", "write ["+section+"] on a line of its own, the keys below it")
		}
		r.fill(section, table, value)
	}
	for name, list := range tables(root) {
		known = append(known, name)
		r.fillList(name, list)
	}
	r.unknown("", r.doc, known)
	return cfg
}

// fillList sets a list of structs from the tables [[name]]. Its mistakes count
// them from 1: rooms.2.jid.
func (r *reader) fillList(name string, list reflect.Value) {
	items, ok := r.doc[name].([]any)
	if _, present := r.doc[name]; present && !ok {
		r.mistake(name, "is not a list of sections", "write [["+name+"]] on a line of its own, the keys below it")
	}
	list.Set(reflect.MakeSlice(list.Type(), len(items), len(items)))
	for i, item := range items {
		key := name + "." + strconv.Itoa(i+1)
		table, ok := item.(map[string]any)
		if !ok {
			r.mistake(key, "is not a section", "write [["+name+"]] on a line of its own, the keys below it")
			continue
		}
		r.fill(key, table, list.Index(i))
	}
}

// parse reads src.Text into doc and finds the line of each key.
func (r *reader) parse() {
	r.doc = map[string]any{}
	r.index()
	if err := toml.Unmarshal(r.src.Text, &r.doc); err != nil {
		r.broken = true
		r.mistakes = append(r.mistakes, r.syntaxMistake(err))
	}
}

// sections yields the name and the value of each section of a Config.
func sections(root reflect.Value) func(yield func(string, reflect.Value) bool) {
	return fields(root, func(f reflect.StructField) bool { return f.Type.Kind() == reflect.Struct })
}

// tables yields the name and the value of each list of sections.
func tables(root reflect.Value) func(yield func(string, reflect.Value) bool) {
	return fields(root, func(f reflect.StructField) bool { return isTables(f.Type) })
}

func isTables(t reflect.Type) bool { return t == reflect.TypeFor[[]Room]() }

func fields(v reflect.Value, want func(reflect.StructField) bool) func(yield func(string, reflect.Value) bool) {
	return func(yield func(string, reflect.Value) bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if name := f.Tag.Get("toml"); name != "-" && want(f) && !yield(name, v.Field(i)) {
				return
			}
		}
	}
}

// fill sets the fields of one section from its table, or from their defaults.
func (r *reader) fill(section string, table map[string]any, v reflect.Value) {
	known := []string{}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		key := section + "." + name
		known = append(known, name)
		if isSecret(f.Type) {
			known = append(known, name+"_file")
			r.checkFileKey(key+"_file", table[name+"_file"])
		}
		value, present := table[name]
		if !present {
			def, ok := f.Tag.Lookup("default")
			if !ok {
				continue // check knows which keys are required
			}
			value = literal(def)
		}
		if err := assign(v.Field(i), value); err != nil {
			advice := "write " + wanted(f)
			if from, ok := foreign[key]; ok {
				advice = from
			}
			r.mistake(key, err.Error(), advice)
		}
	}
	r.unknown(section+".", table, known)
}

func (r *reader) checkFileKey(key string, value any) {
	if s, ok := value.(string); value != nil && (!ok || s == "") {
		r.mistake(key, "is not the path of a file", "write it in quotes: \"/etc/trunkline/"+strings.TrimPrefix(key, "secrets.")+"\"")
	}
}

// unknown complains about keys that the struct does not have.
func (r *reader) unknown(prefix string, table map[string]any, known []string) {
	for name := range table {
		if slices.Contains(known, name) {
			continue
		}
		advice := "remove it; trunkline config example shows every key"
		if near := nearest(name, known); near != "" {
			advice = "did you mean " + prefix + near + "?"
		}
		what := "key"
		if _, table := table[name].(map[string]any); table {
			what = "section"
		}
		r.mistake(prefix+name, "is not a "+what+" that Trunkline knows", advice)
	}
}

// literal reads a TOML value from a struct tag.
func literal(text string) any {
	var doc map[string]any
	if err := toml.Unmarshal([]byte("v = "+text), &doc); err != nil {
		panic("config: struct tag " + text + ": " + err.Error())
	}
	return doc["v"]
}

// assign sets a field from a TOML value. Its errors continue the key's name.
func assign(dst reflect.Value, value any) error {
	switch dst.Interface().(type) {
	case Secret:
		s, ok := value.(string)
		if !ok {
			return errors.New("is not a text")
		}
		dst.Set(reflect.ValueOf(Secret{s}))
		return nil
	case Duration:
		s, _ := value.(string)
		d, err := ParseDuration(s)
		if err != nil {
			return err
		}
		dst.SetInt(int64(d))
		return nil
	}
	switch dst.Kind() {
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			return errors.New("is not a list")
		}
		out := reflect.MakeSlice(dst.Type(), len(list), len(list))
		for i, item := range list {
			if err := assign(out.Index(i), item); err != nil {
				return fmt.Errorf("has an entry %d that %w", i+1, err)
			}
		}
		dst.Set(out)
		return nil
	case reflect.String:
		if s, ok := value.(string); ok {
			dst.SetString(s)
			return nil
		}
		return errors.New("is not a text")
	case reflect.Bool:
		if b, ok := value.(bool); ok {
			dst.SetBool(b)
			return nil
		}
		return errors.New("is neither true nor false")
	case reflect.Int64:
		if n, ok := value.(int64); ok {
			dst.SetInt(n)
			return nil
		}
		return errors.New("is not a whole number")
	}
	panic("config: no rule for a field of type " + dst.Type().String())
}

// wanted describes what a field takes.
func wanted(f reflect.StructField) string {
	if v, ok := f.Tag.Lookup("example"); ok {
		return "it like this: " + f.Tag.Get("toml") + " = " + show(literal(v))
	}
	switch {
	case f.Type == reflect.TypeFor[Secret]():
		return "it in quotes; trunkline config secret makes one"
	case f.Type == reflect.TypeFor[[]Secret]():
		return "a list of keys in quotes: [\"…\"]; trunkline config secret makes one"
	}
	return "it like this: " + f.Tag.Get("toml") + " = " + show(literal(f.Tag.Get("default")))
}

func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[Secret]() || t == reflect.TypeFor[[]Secret]()
}

// ParseDuration reads 14d, 36h, 1d12h and whatever time.ParseDuration reads,
// unless it is negative. Its error does not quote s.
func ParseDuration(s string) (Duration, error) {
	bad := errors.New("is not a span of time")
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	total := time.Duration(0)
	if found {
		n := 0
		if _, err := fmt.Sscanf(days+"\n", "%d\n", &n); err != nil || n < 0 || n > math.MaxInt32/24 || fmt.Sprint(n) != days {
			return 0, bad
		}
		total = time.Duration(n) * 24 * time.Hour
		if total/(24*time.Hour) != time.Duration(n) {
			return 0, bad
		}
	}
	if rest != "" || !found {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, bad
		}
		total += d
	}
	if total < 0 {
		return 0, bad
	}
	return Duration(total), nil
}

// nearest returns the known name that name was probably meant to be, or "":
// at most two edits away, and one in three letters.
func nearest(name string, known []string) string {
	best, at := "", min(2, len(name)/3)+1
	for _, k := range known {
		if d := edits(name, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost = 1 + min(prev, row[j], row[j+1])
			}
			prev, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
