DROP TABLE erasures;
DROP TABLE person_numbers;
