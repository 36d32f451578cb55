DROP FUNCTION fold_text(text);
DROP TABLE profiles;
DROP TABLE profile_pending;
DROP TABLE profile_operations;
