package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

const (
	howSecret = "make one with: trunkline config secret"

	// Characters of a secret: ours, and one that another program has made.
	minSecret, minForeign, maxSecret = 32, 16, 1000
)

// foreign says of the secrets that are not made here where they come from.
var foreign = map[string]string{
	"secrets.list_token":        "copy it from Mastodon: Preferences, Development, the access token of an application with read:lists alone; see docs/rooms.md",
	"secrets.webhook_secret":    "copy it from Mastodon: Preferences, Administration, Webhooks, the signing secret of the one to /hooks/mastodon",
	"secrets.ejabberd_password": "write the password of ejabberd.api_user alone on one line",
	"secrets.store_password":    "write the password of the user in store.url alone on one line",
	"secrets.mastodon_db_url":   "write postgres://USER:PASSWORD@HOST/DATABASE; see docs/mastodon-database.md",
}

// howTo says how to get a secret.
func howTo(key string) string {
	if from, ok := foreign[key]; ok {
		return from
	}
	return howSecret
}

// checkSecrets holds what is asked of each secret by itself, and that none is
// used for two purposes.
func (r *reader) checkSecrets(s *Secrets) {
	if len(s.DataKeys) == 0 && !r.bad["secrets.data_keys"] {
		r.mistake("secrets.data_keys", "is missing", howSecret)
	}
	seen := []string{}
	unique := func(key string, one Secret) {
		if slices.Contains(seen, one.text) && !r.bad[key] {
			r.mistake(key, "is used a second time", "each key is made for one purpose: "+howTo(key))
		}
		seen = append(seen, one.text)
	}
	for i, k := range s.DataKeys {
		if _, err := k.Bytes(); err != nil && !r.bad["secrets.data_keys"] {
			r.mistake("secrets.data_keys", fmt.Sprintf("has an entry %d that is not a key of 32 bytes in base64", i+1), howSecret)
		}
		unique("secrets.data_keys", k)
	}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !isOneSecret(f) {
			continue
		}
		key, one := "secrets."+f.Tag.Get("toml"), v.Field(i).Interface().(Secret)
		if !one.IsZero() {
			r.checkSecret(key, one)
			unique(key, one)
		} else if _, optional := f.Tag.Lookup("optional"); !optional && !r.bad[key] {
			r.mistake(key, "is missing", howSecret)
		}
	}
}

// checkSecret looks at one secret. What another program has made is taken as it
// is.
func (r *reader) checkSecret(key string, one Secret) {
	if r.bad[key] {
		return
	}
	switch key {
	case "secrets.token_key", "secrets.jwt_key":
		if _, err := one.Bytes(); err != nil {
			r.mistake(key, "is not a key of 32 bytes in base64", howSecret)
		}
	case "secrets.ejabberd_password", "secrets.store_password":
		if strings.ContainsFunc(one.text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
			r.mistake(key, "contains control characters", howTo(key))
		}
	case "secrets.mastodon_db_url":
		// The parser's error would quote the password.
		if u, err := url.Parse(one.text); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			r.mistake(key, "is not the address of a PostgreSQL database", howTo(key))
		}
	default:
		least := minSecret
		if _, ok := foreign[key]; ok {
			least = minForeign
		}
		if len(one.text) < least || len(one.text) > maxSecret || !visible(one.text) {
			r.mistake(key, fmt.Sprintf("is not %d to %d visible ASCII characters without spaces", least, maxSecret), howTo(key))
		}
	}
}
