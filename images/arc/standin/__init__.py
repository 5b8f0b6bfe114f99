"""Stand-in for dcm4chee-arc 5.34.2: its DIMSE, DICOMweb and control interfaces in front of Orthanc."""
