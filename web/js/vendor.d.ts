/** A script that adds itself to the global Leaflet; importing it gives nothing. */
declare module 'leaflet-geoman';
