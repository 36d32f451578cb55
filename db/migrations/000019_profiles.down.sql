DROP TABLE profile_pending;
DROP TABLE profile_operations;
