-- Prosody 0.12 with two kinds of passwords: Trunkline's, and those of a
-- directory that you have already. What looks like a password of Trunkline's is
-- asked of Trunkline, everything else of the directory.
-- Needs contrib/prosody/mod_auth_trunkline and: apt install lua-ldap
VirtualHost "example.org"
    authentication = "trunkline"
    trunkline_url = "http://127.0.0.1:8081/verify"
    trunkline_secret_file = "/etc/prosody/trunkline.secret"
    trunkline_fallback = "ldap"

    -- Your directory, as mod_auth_ldap wants it. This is OpenLDAP as Debian sets
    -- it up; adapt it.
    ldap_server = "127.0.0.1:389"
    ldap_rootdn = "cn=reader,dc=example,dc=org"
    ldap_password = "THE-READERS-PASSWORD"
    ldap_base = "ou=people,dc=example,dc=org"
    ldap_filter = "(&(uid=$user)(objectClass=inetOrgPerson))"
    ldap_mode = "bind"
