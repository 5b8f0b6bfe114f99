return pollPatients();
