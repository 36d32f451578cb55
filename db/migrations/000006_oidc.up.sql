-- Who an account is at an identity provider. The subject is what the provider never gives to anybody else; an address it
-- may. An account is one person at most at each provider, so whoever gets a used address later does not get the account.
CREATE TABLE account_identities (
    issuer     text NOT NULL,
    subject    text NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject),
    UNIQUE (account_id, issuer)
);
