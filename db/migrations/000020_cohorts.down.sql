DROP TABLE cohort_people;
DROP TABLE cohorts;
