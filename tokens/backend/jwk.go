package backend

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// minJWTKey is the shortest key that HS256 allows (RFC 7518 section 3.2).
const minJWTKey = 32

// JWK is the key of temporary credentials as a file for an XMPP server (RFC 7517;
// ejabberd's jwt_key): one JSON object and a newline. It is as secret as the key.
func JWK(key []byte) ([]byte, error) {
	if len(key) < minJWTKey {
		return nil, errors.New("backend: the JWT key must have 32 bytes or more")
	}
	text, err := json.Marshal(struct {
		Type string `json:"kty"`
		Use  string `json:"use"`
		Key  string `json:"k"`
		Alg  string `json:"alg"`
	}{"oct", "sig", base64.RawURLEncoding.EncodeToString(key), "HS256"})
	if err != nil {
		return nil, fmt.Errorf("backend: %w", err)
	}
	return append(text, '\n'), nil
}
