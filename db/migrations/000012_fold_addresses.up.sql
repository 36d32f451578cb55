-- An address is folded from A to Z and no further (auth.FoldEmail). lower() goes by the locale of the database: it makes k of
-- U+212A, so it refused addresses that are well formed, and different ones on different servers.
ALTER TABLE accounts DROP CONSTRAINT accounts_email_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_email_check CHECK (email = lower(email COLLATE "C"));
